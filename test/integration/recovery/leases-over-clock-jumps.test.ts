import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { run } from '../../../shared/redis/scripts.ts';
import { findClocks } from '../../../tools/harness/shifted-clocks.ts';
import { startRedis } from '../../support/redis-server.ts';

const clocks = findClocks();
const leaseMs = 4000;

/** A partition that nobody reads, or a share that nobody takes, lasts as long as the lease of who died. */
test("leases of a process that died before Redis' clock was set back are free, others stay", async ({ skip }) => {
  if ('reason' in clocks) return skip(clocks.reason);
  const clock = clocks.create();
  const server = await startRedis(clock.env);
  const redis = new Redis(server.url);
  const hold = (who: string) => run<number>(redis, 'hold-lease', ['lease'], [who, leaseMs]);
  const enlist = (who: string) => run<number>(redis, 'enlist-process', ['roster'], [who, leaseMs]);

  expect([await hold('died'), await hold('lives'), await enlist('died'), await enlist('lives')]).toEqual([1, 0, 1, 2]);
  clock.shift(-65 * 60_000);
  expect([await hold('lives'), await hold('third'), await enlist('lives')]).toEqual([1, 0, 1]);
  // Ahead for a moment, in which another one dies.
  clock.shift(3 * 3_600_000);
  expect([await hold('died'), await enlist('died')]).toEqual([1, 1]);
  clock.shift(0);
  expect([await hold('lives'), await hold('third'), await enlist('lives')]).toEqual([1, 0, 1]);

  redis.disconnect();
  await server.stop();
  clock.remove();
});
