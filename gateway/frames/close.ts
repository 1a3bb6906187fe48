import { type Logger, reason } from '../../shared/process/log.ts';
import type { EvidenceOfProcess } from '../../shared/recovery/evidence.ts';
import type { Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import type { Flips } from '../presence/flips.ts';
import type { LargeGroupPush } from '../push/large-groups.ts';
import type { ReceivedPositions } from '../session/received-positions.ts';
import type { OwnSettings } from '../settings/user-settings.ts';
import type { Connection, Dispatch } from '../socket/connection.ts';
import type { Registry } from '../socket/registry.ts';

/**
 * Removes a closed connection from this gateway. Its received position is written before its route is removed: the
 * script that writes positions refuses a session without a route.
 */
export const createClose =
  (
    registry: Registry,
    large: Pick<LargeGroupPush, 'remove'>,
    ownSettings: Pick<OwnSettings, 'close'>,
    receivedPositions: Pick<ReceivedPositions, 'flush'>,
    inboxes: Pick<Inboxes, 'detach'>,
    presence: { ended(connection: Connection): void; flips: Pick<Flips, 'left'> },
    evidence: Pick<EvidenceOfProcess, 'ended'>,
    gateway: string,
    log: Logger,
  ): Dispatch['closed'] =>
  (connection) => {
    registry.remove(connection);
    presence.ended(connection);
    const { session } = connection;
    if (session === null) return Promise.resolve();
    const { user, device, id, epoch, known } = session;
    evidence.ended({ user, epoch, head: known });
    if (registry.of(user).length === 0) {
      large.remove(user);
      ownSettings.close(user);
    }
    const written = receivedPositions.flush();
    void written
      .then(() => inboxes.detach(user, device, gateway, id))
      .then((online) => {
        if (!online) presence.flips.left(user);
      })
      .catch((thrown: unknown) => log.debug({ event: 'detach_failed', reason: reason(thrown) }));
    return written;
  };
