import type { Redis } from 'ioredis';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import { frameTypeOf } from '../../shared/protocol/frame-text.ts';
import type { TellUsers } from '../../shared/redis/inboxes/tell-users.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { type Hint, hintPayload } from '../../shared/redis/push-bus.ts';
import type { Registry } from '../socket/registry.ts';

/** Maximum hints that wait until those before them are told. More are dropped. */
const mostWaiting = 10_000;

/** Hands a hint to the connected devices of its users at this gateway. */
export type HintHere = (hint: Hint) => void;

export const createHintHere =
  (
    registry: Pick<Registry, 'of'>,
    metrics: Pick<Metrics, 'hints'>,
    /** Called for each user of a hint who is connected here. False: this user gets none of this type. */
    admits: (type: string, user: string, text: string) => boolean = () => true,
  ): HintHere =>
  ({ users, not, text }) => {
    const type = frameTypeOf(text);
    for (const user of users) {
      const connections = registry.of(user);
      if (connections.length === 0 || !admits(type, user, text)) continue;
      for (const connection of connections) {
        if (connection.session!.device === not) continue;
        try {
          const result = connection.session!.hint(text);
          if (result !== null) metrics.hints.inc({ type, result });
        } catch (thrown) {
          connection.faulted(thrown, 'push');
        }
      }
    }
  };

/**
 * Tells users' connected devices, wherever they are, what is so now. Everything that a hint says can be asked for, so
 * nothing waits for one, and one that cannot be delivered is given up.
 *
 * All hints of one turn of the event loop, and those that come while others are told, share one call of Redis.
 */
export function createHints(parts: {
  redis: Pick<Redis, 'publish'>;
  keys: Pick<Keys, 'push'>;
  gateway: string;
  tellUsers: TellUsers;
  here: HintHere;
  metrics: Pick<Metrics, 'hints'>;
  log: Logger;
}) {
  const { redis, keys, gateway, tellUsers, here, metrics, log } = parts;
  let waiting: Hint[] = [];
  let running = false;

  const dropped = (hints: readonly Hint[]): void =>
    hints.forEach(({ text }) => metrics.hints.inc({ type: frameTypeOf(text), result: 'dropped' }));

  function failed(hints: readonly Hint[], thrown: unknown): void {
    dropped(hints);
    log.debug({ event: 'hints_failed', hints: hints.length, reason: reason(thrown) });
  }

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      const hints = waiting;
      waiting = [];
      await tellUsers(hints)
        .then((own) => own.forEach(here))
        .catch((thrown: unknown) => failed(hints, thrown));
    }
    running = false;
  }

  return {
    /** Tells the devices of one user at these gateways, but not the device `not`. Never throws. */
    tellAt(gateways: Iterable<string>, user: string, text: string, not: string | null = null): void {
      const hint = { users: [user], not, text };
      for (const to of gateways) {
        if (to === gateway) here(hint);
        else redis.publish(keys.push(to), hintPayload(hint)).catch((thrown: unknown) => failed([hint], thrown));
      }
    },

    /** Tells all devices of these users, but not the device `not` of the one user. Never throws. */
    tell(users: readonly string[], text: string, not: string | null = null): void {
      if (users.length === 0) return;
      const hint = { users, not, text };
      if (waiting.length >= mostWaiting) return dropped([hint]);
      waiting.push(hint);
      if (running) return;
      running = true;
      setImmediate(() => void run());
    },
  };
}

export type Hints = ReturnType<typeof createHints>;
