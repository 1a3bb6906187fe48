import type { Redis } from 'ioredis';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import { frameTypeOf } from '../../shared/protocol/frame-text.ts';
import type { RoutesOf } from '../../shared/redis/inboxes/routes.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { type Hint, hintPayload, payloadLength } from '../../shared/redis/push-bus.ts';
import type { Registry } from '../socket/registry.ts';

/** Maximum hints that wait for the routes of their users. More are dropped. */
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
 * All hints of one turn of the event loop, and those that come while the routes of others are read, share one read of
 * routes and one publish for each gateway.
 */
export function createHints(parts: {
  redis: Pick<Redis, 'publish'>;
  keys: Pick<Keys, 'push'>;
  gateway: string;
  routesOf: RoutesOf;
  here: HintHere;
  metrics: Pick<Metrics, 'hints'>;
  log: Logger;
}) {
  const { redis, keys, gateway, routesOf, here, metrics, log } = parts;
  let waiting: Hint[] = [];
  let running = false;

  const dropped = (hints: readonly Hint[]): void =>
    hints.forEach(({ text }) => metrics.hints.inc({ type: frameTypeOf(text), result: 'dropped' }));

  function publish(to: string, hints: readonly Hint[]): void {
    redis.publish(keys.push(to), hintPayload(hints)).catch((thrown: unknown) => {
      dropped(hints);
      log.debug({ event: 'hints_failed', hints: hints.length, reason: reason(thrown) });
    });
  }

  /** Each hint goes once to each gateway that holds some of its users. */
  async function deliver(hints: readonly Hint[]): Promise<void> {
    const users = [...new Set(hints.flatMap((hint) => hint.users))];
    const routes = await routesOf(users);
    const gatewaysOf = new Map(users.map((user, i) => [user, routes[i]!.gateways ?? []]));
    const batches = new Map<string, { hints: Hint[]; length: number }>();
    for (const hint of hints) {
      const byGateway = Map.groupBy(
        hint.users.flatMap((user) => gatewaysOf.get(user)!.map((to) => ({ user, to }))),
        ({ to }) => to,
      );
      for (const [to, found] of byGateway) {
        const part = { ...hint, users: found.map(({ user }) => user) };
        if (to === gateway) here(part);
        else {
          let batch = batches.get(to);
          if (batch === undefined) batches.set(to, (batch = { hints: [], length: 0 }));
          batch.hints.push(part);
          batch.length += hint.text.length;
          if (batch.length < payloadLength) continue;
          publish(to, batch.hints);
          batches.delete(to);
        }
      }
    }
    for (const [to, batch] of batches) publish(to, batch.hints);
  }

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      const hints = waiting;
      waiting = [];
      await deliver(hints).catch((thrown: unknown) => {
        dropped(hints);
        log.debug({ event: 'hints_failed', hints: hints.length, reason: reason(thrown) });
      });
    }
    running = false;
  }

  return {
    /** Tells the devices of one user at these gateways, but not the device `not`. Never throws. */
    tellAt(gateways: Iterable<string>, user: string, text: string, not: string | null = null): void {
      const hint = { users: [user], not, text };
      for (const to of gateways) {
        if (to === gateway) here(hint);
        else publish(to, [hint]);
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
