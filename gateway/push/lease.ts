import { pushInFlightMs } from '../../shared/model/limits.ts';
import type { Faults } from '../../shared/process/faults.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import { closeCodes } from '../../shared/protocol/close-codes.ts';
import type { Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import type { OwnSettings } from '../settings/user-settings.ts';
import type { Connection } from '../socket/connection.ts';
import type { Registry } from '../socket/registry.ts';
import type { HeadWatch } from './head-watch.ts';
import type { LargeGroupPush } from './large-groups.ts';

/** A gateway that has not renewed its lease for this long (ms) counts as gone: nothing is pushed to it. */
export const gatewayLeaseMs = 15_000;
const renewEveryMs = 4500;

/** What renewals do for presence: they find gateways that are gone, in shards of which somebody is watched here too. */
export type LeasePresence = {
  serves(): boolean;
  /** Whether a hello renewed a lapsed lease in this shard before the renewal. */
  takeLapsed(shard: number): boolean;
  /** That renewal failed. */
  noteLapsed(shard: number): void;
  /** Shards of which users are watched here. */
  shards(): Iterable<number>;
  watches(shard: number): boolean;
  /** These gateways are live in a shard. */
  live(shard: number, gateways: readonly string[]): void;
};

/**
 * Renews this gateway's lease in every shard that holds one of its users. Each answer is compared with what is known
 * here: heads, routes, large groups and settings. So a lost push, even of the last message, or a connection that was
 * replaced is noticed within 5 s. After the push channel was subscribed again this is done at once.
 *
 *   the session's route is there     live: the session hears of the head
 *   another route of the device      replaced: closed with 4409, the client must not come back by itself
 *   no route of the device           closed with 1012: this gateway was paused, or the device was removed. The next
 *                                    hello decides
 *   the epoch is another, or none    closed with 1012
 */
export function createLease(
  inboxes: Pick<Inboxes, 'renew'>,
  keys: Keys,
  gateway: string,
  registry: Registry,
  large: Pick<LargeGroupPush, 'compare' | 'check'>,
  ownSettings: Pick<OwnSettings, 'compare'>,
  log: Logger,
  faults: Faults,
  heads: Pick<HeadWatch, 'compare'>,
  presence: LeasePresence,
) {
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  let running: Promise<void> = Promise.resolve();

  async function renewShard(shard: number, users: string[]): Promise<void> {
    // Taken before the call: the answer says nothing about connections that come meanwhile.
    const asked = users.map((user) =>
      registry.of(user).map((connection) => ({ connection, known: connection.session!.known })),
    );
    const asksGateways = presence.watches(shard);
    // The hello of a user who is alone in the shard has told of itself.
    const hadLapsed = presence.takeLapsed(shard) && users.length > 1;
    const work = { tells: presence.serves(), hadLapsed, asksGateways };
    const renewed = await inboxes.renew(shard, gateway, users, gatewayLeaseMs, work).catch((thrown: unknown) => {
      if (hadLapsed) presence.noteLapsed(shard);
      throw thrown;
    });
    if (asksGateways && renewed !== null) presence.live(shard, renewed.gateways);
    const late: { connection: Connection; head: number }[] = [];
    asked.forEach((connections, i) => {
      if (renewed === null)
        return connections.forEach(({ connection }) => connection.close(closeCodes.restart, 'storage is being opened'));
      const { head, routes, larges, settingsVersion } = renewed.users[i]!;
      large.compare(users[i]!, larges);
      ownSettings.compare(users[i]!, settingsVersion);
      for (const { connection, known } of connections) {
        const { epoch, id, device } = connection.session!;
        if (epoch !== renewed.epoch) connection.close(closeCodes.restart, 'the epoch has changed');
        else if (routes.some((route) => route.gateway === gateway && route.session === id)) {
          heads.compare(connection.session!, known, head);
          late.push({ connection, head });
        } else if (routes.some((route) => route.device === device))
          connection.close(closeCodes.replaced, 'connected elsewhere');
        else connection.close(closeCodes.restart, 'the gateway was away too long');
      }
    });
    // Wait for in-flight pushes; anything still missing afterwards was lost.
    if (late.length > 0) setTimeout(() => late.forEach(hear), pushInFlightMs);
  }

  function hear({ connection, head }: { connection: Connection; head: number }): void {
    try {
      connection.session!.heard(head);
    } catch (thrown) {
      connection.faulted(thrown, 'timer');
    }
  }

  const checkLarge = faults.contained('timer', large.check);

  async function renew(): Promise<void> {
    const shards = new Map<number, string[]>();
    for (const user of registry.users()) {
      const shard = keys.shardOf(user);
      const list = shards.get(shard);
      if (list === undefined) shards.set(shard, [user]);
      else list.push(user);
    }
    for (const shard of presence.shards()) if (!shards.has(shard)) shards.set(shard, []);
    // The lease does not wait for this: with many groups, or a failing subscription, it would expire.
    checkLarge();
    await Promise.all(
      [...shards].map(([shard, users]) =>
        renewShard(shard, users).catch((thrown: unknown) =>
          log.warn({ event: 'renewal_failed', shard, reason: reason(thrown) }),
        ),
      ),
    );
  }

  function loop(): void {
    if (stopped) return;
    timer = setTimeout(() => {
      running = renew()
        .catch((thrown: unknown) => faults.note('timer', thrown))
        .then(loop);
    }, renewEveryMs);
  }
  loop();

  return {
    renewNow: faults.contained('timer', renew),
    async stop(): Promise<void> {
      stopped = true;
      if (timer) clearTimeout(timer);
      await running;
    },
  };
}
