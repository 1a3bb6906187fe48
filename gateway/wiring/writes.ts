import { traced } from '../../shared/process/telemetry.ts';
import { shortWayFormats } from '../../shared/recovery/formats.ts';
import { createSharedBudgets } from '../../shared/redis/rate-budgets.ts';
import { createAmends } from '../../shared/redis/streams/amends.ts';
import { createMessages } from '../../shared/redis/streams/messages.ts';
import { createPoolWitness } from '../../shared/redis/streams/pool-witness.ts';
import { createShortWay } from '../../shared/redis/streams/short-way.ts';
import { createChanges } from '../changes/changes.ts';
import { createBudgets } from '../limits/budgets.ts';
import { createLookupBudget } from '../limits/lookup-budget.ts';
import { sweepBudgets } from '../limits/sweep.ts';
import { createWriteGuard } from '../limits/write-guard.ts';
import type { HistoryPages } from '../reads/history-pages.ts';
import { createAmendState } from '../sends/amend-state.ts';
import { createAmending } from '../sends/amending.ts';
import { createDedupeLookup } from '../sends/dedupe-lookup.ts';
import { createSending, type Sent } from '../sends/sending.ts';
import type { GatewayContext } from './context.ts';
import type { Stores } from './stores.ts';

/**
 * What clients can write: sends, amends, and changes of conversations. Every write passes the guard and costs a budget.
 */
export function createWrites(
  { gateway, config, lifecycle, metrics, faults, keys }: GatewayContext,
  { redis, history, deployment, openAgain, loading, conversations, memory, notifyAfter }: Stores,
  pages: Pick<HistoryPages, 'message'>,
  sent: Sent,
) {
  const lookupBudget = createLookupBudget();
  const limits = {
    dedupeMs: config.dedupeMs,
    mostUnsettled: config.BACKLOG_MAX_ENTRIES,
    mostInInboxes: config.FANOUT_MAX_MEMBERS,
    gateway,
  };
  const shortWay = createShortWay(
    keys,
    {
      isOn: () => config.SHORT_WAY && deployment.formats() >= shortWayFormats,
      inboxMaxEntries: config.INBOX_MAX_ENTRIES,
      notifyAfter,
    },
    { sending: deployment.evidence.sendsShort, accepted: (way, messages) => metrics.ways.inc({ way }, messages) },
  );
  const witness = createPoolWitness();
  const messages = createMessages(
    redis,
    keys,
    { ...limits, shortWay },
    {
      load: (send) => loading.conversation(conversations, send.conversation, send.users),
      lookup: createDedupeLookup({
        read: conversations.read,
        blocksSince: history.blocksSince,
        budget: lookupBudget,
        retentionMs: config.historyRetentionMs,
      }),
      closed: openAgain,
      seen: deployment.answerFor,
    },
    witness,
  );
  const amends = createAmends(
    redis,
    keys,
    { ...limits, retentionMs: config.historyRetentionMs },
    {
      load: (id) => loading.conversation(conversations, id),
      lookUp: createAmendState((conversation, seq) => pages.message(conversation, null, seq)),
      closed: openAgain,
      seen: deployment.answerFor,
    },
    witness,
  );
  const sharedBudgets = createSharedBudgets(redis, keys);
  const budgets = createBudgets(config.RATE_LIMITS, config.SEND_RATE_PER_USER, sharedBudgets, metrics);
  lifecycle.opened('budget sweep', sweepBudgets(faults, budgets, lookupBudget).stop);

  const guard = createWriteGuard(memory, deployment);
  const send = createSending({ accept: guard(messages.accept) }, budgets, config.MAX_BODY_BYTES, metrics, sent);
  const within = { recallMs: config.RECALL_MINUTES * 60_000, editMs: config.EDIT_MINUTES * 60_000 };
  const amend = createAmending({ amend: guard(amends.amend) }, budgets, within, config.MAX_BODY_BYTES, metrics);
  return {
    guard,
    budgets,
    amending: config.TELEMETRY ? traced('restante.amend', amend, ({ user }, { seq }) => ({ user, seq })) : amend,
    sending: config.TELEMETRY ? traced('restante.send', send, ({ user }, { clientId }) => ({ user, clientId })) : send,
    changes: createChanges(conversations, guard, budgets, config.MAX_GROUP_MEMBERS_BY_USER),
  };
}

export type Writes = ReturnType<typeof createWrites>;
