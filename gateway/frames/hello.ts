import { Refusal, toRefusal } from '../../shared/model/errors.ts';
import { mostPresenceUsers, pageBytes, pageItems, receiveWithinMs, typingEveryMs } from '../../shared/model/limits.ts';
import type { VersionedSettings } from '../../shared/model/settings.ts';
import type { Config } from '../../shared/process/config.ts';
import { closeCodes } from '../../shared/protocol/close-codes.ts';
import { welcomeFrame } from '../../shared/protocol/frame-text.ts';
import type { ServerFrame } from '../../shared/protocol/server-frames.ts';
import { type Attached } from '../../shared/redis/inboxes/devices.ts';
import { type Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import { wallMs } from '../../shared/timing/clocks.ts';
import type { Authenticate, Principal } from '../auth/authenticate.ts';
import type { Features } from '../features.ts';
import type { Budgets } from '../limits/budgets.ts';
import type { ConnectionBounds } from '../limits/connection-bounds.ts';
import type { Flips } from '../presence/flips.ts';
import type { CloseElsewhere } from '../push/close-elsewhere.ts';
import type { LargeGroupPush } from '../push/large-groups.ts';
import { gatewayLeaseMs } from '../push/lease.ts';
import type { ReadUnread } from '../reads/unread-summary.ts';
import type { Levels } from '../sends/levels.ts';
import type { SessionParts } from '../session/session-parts.ts';
import { Session } from '../session/session.ts';
import type { OwnSettings } from '../settings/user-settings.ts';
import type { Connection, FrameOf } from '../socket/connection.ts';
import type { Registry } from '../socket/registry.ts';
import { heartbeatMs } from '../socket/sweeps.ts';

/**
 * `hello`: checks the token, attaches the device in one step in Redis, then answers `welcome` and sends the backlog.
 * The step registers the device's route, and returns its position and the head of the inbox.
 *
 * A refused hello closes the socket: with 4403 for a token of another device, 4429 for too many devices or hellos, 1012
 * if storage does not answer, and 4401 otherwise.
 */
export function createHello(parts: {
  authenticate: Authenticate;
  budgets: Pick<Budgets, 'take'>;
  inboxes: Inboxes;
  readUnread: ReadUnread;
  ownSettings: Pick<OwnSettings, 'open'>;
  registry: Registry;
  large: Pick<LargeGroupPush, 'review'>;
  bounds: Pick<ConnectionBounds, 'authenticated'>;
  session: SessionParts;
  levels: Pick<Levels, 'given'>;
  features: Pick<Features, 'list' | 'serves'>;
  flips: Pick<Flips, 'came' | 'left'>;
  gateway: string;
  config: Pick<Config, 'MAX_BODY_BYTES' | 'maxFrameBytes' | 'SEND_RATE_PER_USER' | 'RECALL_MINUTES' | 'EDIT_MINUTES'>;
  /**
   * The time (ms since 1970) from which on something was lost since an epoch that a client knows; null: nothing was.
   */
  lostSince(knownEpoch: string | undefined): number | null;
  /** Resolves once this process knows the deployment of this epoch. */
  followEpoch(epoch: string): Promise<void>;
  closeElsewhere: CloseElsewhere;
  flushReceived(): Promise<void>;
}) {
  const { inboxes, registry, gateway, config } = parts;
  let sessions = 0;

  const welcome = (
    principal: Principal,
    frame: FrameOf<'hello'>,
    attached: Attached,
    unread: ServerFrame<'welcome'>['unread'],
    settings: VersionedSettings | null,
  ): string => {
    const lostSince = parts.lostSince(frame.epoch);
    const levels = parts.levels.given;
    return welcomeFrame(frame.id, {
      user: principal.user,
      device: frame.device,
      epoch: attached.epoch,
      position: attached.position,
      head: attached.head,
      unread,
      features: parts.features.list(),
      heartbeatMs,
      expiresAt: principal.expiresAt,
      now: wallMs(),
      limits: {
        maxBodyBytes: config.MAX_BODY_BYTES,
        maxFrameBytes: config.maxFrameBytes,
        pageItems,
        pageBytes,
        sendPerSecond: config.SEND_RATE_PER_USER,
        receiveWithinMs,
        levels: [...levels],
        recallWithinMs: config.RECALL_MINUTES * 60_000,
        editWithinMs: config.EDIT_MINUTES * 60_000,
        ...(parts.features.serves('presence') ? { presenceUsers: mostPresenceUsers } : {}),
        ...(parts.features.serves('typing') ? { typingEveryMs } : {}),
      },
      ...(settings === null ? {} : { settings }),
      ...(attached.reset ? { reset: true, ...(lostSince === null ? {} : { lostSince }) } : {}),
    });
  };

  function closeCodeOf(refusal: Refusal): number {
    if (refusal.code === 'forbidden') return closeCodes.forbidden;
    if (refusal.code === 'rate_limited') return closeCodes.tooMany;
    return refusal.retryable ? closeCodes.restart : closeCodes.unauthenticated;
  }

  /**
   * Closes the connection whose route a hello has taken. `lives`: whether that of the hello is still there. If it is
   * not, its client may have given it up and come back by the other one before this hello had its turn: then that one
   * is the newer one, and comes back again.
   */
  function closeReplaced(user: string, replaced: NonNullable<Attached['replaced']>, lives: boolean): void {
    const code = lives ? closeCodes.replaced : closeCodes.restart;
    const why = lives ? 'connected again' : 'an abandoned connection took its place';
    if (replaced.gateway !== gateway) parts.closeElsewhere(replaced.gateway, user, replaced.session, code, why);
    else
      registry
        .of(user)
        .find((one) => one.session!.id === replaced.session)
        ?.close(code, why);
  }

  async function attach(connection: Connection, frame: FrameOf<'hello'>): Promise<void> {
    const principal = await parts.authenticate(frame.token);
    if (principal.device !== null && principal.device !== frame.device) {
      throw new Refusal('forbidden', 'the token belongs to another device');
    }
    const { user } = principal;
    parts.budgets.take('hello', principal);
    // What an older connection of this device received here is written first, so that it is not sent again.
    if (registry.of(user).length > 0) await parts.flushReceived();
    const id = (++sessions).toString(36);
    const attached = await inboxes.attach(
      user,
      frame.device,
      gateway,
      id,
      {
        position: frame.position,
        epoch: frame.epoch,
        ephemeral: frame.ephemeral === true && parts.features.serves('ephemeral'),
      },
      gatewayLeaseMs,
      principal.service ? Number.MAX_SAFE_INTEGER : principal.issuedAt,
      parts.features.serves('presence'),
    );
    parts.flips.came(user, attached);
    await parts.followEpoch(attached.epoch);
    if (attached.replaced !== null) closeReplaced(user, attached.replaced, connection.isOpen);
    if (!connection.isOpen) {
      if (!(await inboxes.detach(user, frame.device, gateway, id))) parts.flips.left(user);
      return;
    }
    const session = new Session(
      user,
      frame.device,
      id,
      frame.mode ?? 'push',
      attached,
      connection,
      parts.session,
      frame.pageItems,
    );
    connection.welcome(session, principal, frame.client ?? null);
    // Registered before the unread summary is read, so that no push is missed. Until `release` a push is only a hint,
    // so `welcome` still comes first.
    session.hold();
    registry.attach(connection as Connection & { session: Session });
    parts.bounds.authenticated(connection.raw);
    const caughtUp = attached.larges.length > 0 && session.mode !== 'pull' ? await parts.large.review(user) : null;
    if (caughtUp !== null) session.caughtUp(caughtUp.headBefore, caughtUp.head);
    // The settings are read after the session is registered too: a change is either in `welcome`, or told after it.
    const [unread, settings] = await Promise.all([
      parts.readUnread(user),
      parts.ownSettings.open(user, attached.settingsVersion),
    ]);
    const head = Math.max(attached.head, caughtUp?.head ?? 0);
    connection.write(welcome(principal, frame, { ...attached, head }, unread, settings));
    session.release();
  }

  return async (connection: Connection, frame: FrameOf<'hello'>): Promise<void> => {
    try {
      await attach(connection, frame);
    } catch (thrown) {
      const refusal = toRefusal(thrown);
      connection.refuse(refusal, frame.id, undefined);
      connection.close(closeCodeOf(refusal), refusal.message);
    }
  };
}
