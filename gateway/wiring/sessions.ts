import { frameTypeOf, readFrame } from '../../shared/protocol/frame-text.ts';
import type { ServerFrame } from '../../shared/protocol/server-frames.ts';
import { createRoutesOf } from '../../shared/redis/inboxes/routes.ts';
import { createTellUsers } from '../../shared/redis/inboxes/tell-users.ts';
import { createFollowing } from '../../shared/redis/push-bus.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import type { Features } from '../features.ts';
import { createEpochChange } from '../push/epoch-change.ts';
import { createHeadWatch } from '../push/head-watch.ts';
import { createHintHere, createHints } from '../push/hints.ts';
import { createLargeGroupPush } from '../push/large-groups.ts';
import { createLease } from '../push/lease.ts';
import { seenHeads, seenSeqs } from '../push/seen.ts';
import { createInboxFailureReport } from '../session/inbox-failures.ts';
import { createReceivedPositions } from '../session/received-positions.ts';
import { createRedeliveryJobs } from '../session/redelivery-jobs.ts';
import type { SessionParts } from '../session/session-parts.ts';
import { createUndelivered } from '../session/undelivered.ts';
import { createUserSettings } from '../settings/user-settings.ts';
import { createRegistry } from '../socket/registry.ts';
import type { GatewayContext } from './context.ts';
import type { Jobs } from './jobs.ts';
import { createPresenceParts } from './presence.ts';
import type { Stores } from './stores.ts';
import type { Writes } from './writes.ts';

/** The connected devices of this gateway, and what keeps them in step with their inboxes. */
export function createSessions(
  context: GatewayContext,
  stores: Stores,
  { guard, budgets }: Pick<Writes, 'guard' | 'budgets'>,
  features: Pick<Features, 'serves'>,
) {
  const { gateway, lifecycle, log, metrics, faults, keys } = context;
  const { redis, subscriber, deployment, groups, inboxes, settings } = stores;
  const registry = createRegistry();
  const routesOf = createRoutesOf(redis, keys);
  const presence = createPresenceParts(context, stores, registry, routesOf, features);
  const receivedPositions = createReceivedPositions(inboxes, keys, gateway, log, faults, deployment.doubt);
  const heads = createHeadWatch(inboxes, deployment.doubt);
  const large = createLargeGroupPush(groups, createFollowing(subscriber, keys), registry, metrics, log, faults);
  const hintHere = createHintHere(registry, metrics, (type, user, text) => {
    if (type === 'settings') {
      ownSettings.heard(user, (JSON.parse(text) as ServerFrame<'settings'>).version);
      presence.settingsChanged(user);
    }
    // Who does not tell others is not told of them.
    return type !== 'receipt' || ownSettings.of(user)?.receipts === true;
  });
  /** The fanout has moved a sender's read seq: its other devices hear of it with the message. */
  const readBySending = (user: string, conversation: string, seq: number, device: string): void => {
    if (features.serves('reads'))
      hintHere({ users: [user], not: device, text: readFrame(undefined, conversation, seq) });
  };
  const hints = createHints({
    redis,
    keys,
    gateway,
    tellUsers: createTellUsers(redis, keys, gateway),
    here: hintHere,
    metrics,
    log,
  });
  const ownSettings = createUserSettings({
    settings,
    guard,
    budgets,
    isServed: () => features.serves('settings'),
    tell: hints.tell,
    tellHere: (user, text) => hintHere({ users: [user], not: null, text }),
    log,
  });
  const lease = createLease(
    inboxes,
    keys,
    gateway,
    registry,
    large,
    ownSettings,
    log,
    faults,
    heads,
    presence.renewals,
  );
  lifecycle.opened('lease', lease.stop);
  deployment.onEpochChange(createEpochChange(registry));
  deployment.evidence.askHeads(() => seenHeads(registry));
  deployment.evidence.askSeqs(() => seenSeqs(registry, large));
  return {
    registry,
    receivedPositions,
    heads,
    large,
    lease,
    routesOf,
    hints,
    hintHere,
    readBySending,
    ownSettings,
    presence,
  };
}

export type Sessions = ReturnType<typeof createSessions>;

/** What each session uses. */
export const createSessionParts = (
  { log, metrics, faults }: GatewayContext,
  { inboxes }: Stores,
  { receivedPositions, heads, large }: Sessions,
  { redelivery, deadLetters }: Jobs,
  receipts: Pick<SessionParts, 'takesPart' | 'receivedOf' | 'receivedUnseen'>,
): SessionParts => ({
  inboxes,
  advance: receivedPositions.advance,
  fellBack: heads.fellBack,
  failed: createInboxFailureReport(faults, log),
  pushed: (items) => metrics.pushed.inc(items),
  ...receipts,
  hinted: (text, result) => metrics.hints.inc({ type: frameTypeOf(text), result }),
  pushedAgain: (items) => metrics.pushedAgain.inc(items),
  ...createRedeliveryJobs(redelivery, log, faults),
  missedLarge: ({ user }) => large.dropped(user),
  undelivered: createUndelivered(deadLetters, log),
  now: monotonicMs,
});
