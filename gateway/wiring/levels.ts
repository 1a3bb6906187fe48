import { createBarrier } from '../../shared/redis/barrier.ts';
import { runOf } from '../../shared/redis/connection/run.ts';
import { createDurability } from '../../shared/redis/durability.ts';
import { createLevels } from '../sends/levels.ts';
import { createStoredLookup } from '../sends/stored-lookup.ts';
import type { GatewayContext } from './context.ts';
import type { Stores } from './stores.ts';

/** Longest wait of one barrier in Redis (ms). */
const mostBarrierMs = 3000;

/** What the answers to sends wait for. */
export function createAnswerLevels(
  { config, lifecycle, log, metrics, keys }: GatewayContext,
  { connections, redis, history, deployment }: Stores,
) {
  const connection = connections.barrier();
  lifecycle.opened('barrier connection', () => connection.disconnect());
  const claim = {
    by: config.DURABLE_BY,
    replicas: config.DURABLE_REPLICAS,
    isDefault: config.ACK_LEVEL === 'durable',
  };
  const durability = createDurability(connection, keys, claim, log);
  lifecycle.opened('durability', durability.stop);
  const levels = createLevels({
    byDefault: config.ACK_LEVEL,
    waitMs: config.ACK_WAIT_MS,
    acceptingRun: () => runOf(redis),
    durability,
    barrier: createBarrier(connection, keys, durability, {
      replicas: config.DURABLE_REPLICAS,
      mostMs: Math.min(mostBarrierMs, config.ACK_WAIT_MS),
    }),
    lookup: (found) => createStoredLookup(history, found, log),
    metrics,
  });
  lifecycle.opened('levels', levels.stop);
  // Before connections are closed for the same reason, so that their waiting answers are still written.
  deployment.onEpochChange(levels.epochChanged);
  return { levels, durability };
}
