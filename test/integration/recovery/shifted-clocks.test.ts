import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { createProvenTime } from '../../../shared/redis/redis-time.ts';
import { findClocks } from '../../../tools/harness/shifted-clocks.ts';
import { startRedis } from '../../support/redis-server.ts';

/**
 * What the tests with shifted clocks rest on: the clock really moves, at once, in the processes that they start, and in
 * no other way.
 */

const clocks = findClocks();
const hourMs = 3_600_000;
const toleranceMs = 5000;

const program = `
process.stdin.on('data', () => {
  console.log(JSON.stringify({ wall: Date.now(), made: new Date().getTime(), monotonic: performance.now() }));
});
console.log('{}');`;

type Reading = { wall: number; made: number; monotonic: number };

describe.each([
  ['an hour ahead', hourMs],
  ['65 minutes back', -65 * 60_000],
  ['2.5 s back', -2500],
])('a clock %s', (_name, shiftMs) => {
  test('is what Node reads, and its monotonic clock goes on', async ({ skip }) => {
    if ('reason' in clocks) return skip(clocks.reason);
    const clock = clocks.create();
    const child = spawn(process.execPath, ['-e', program], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...clock.env },
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    await lines.next();
    const read = async (): Promise<Reading> => {
      child.stdin.write('\n');
      return JSON.parse((await lines.next()).value as string) as Reading;
    };
    const before = await read();
    clock.shift(shiftMs);
    const after = await read();
    const elapsed = after.monotonic - before.monotonic;
    expect(elapsed).toBeGreaterThan(0);
    expect(elapsed).toBeLessThan(toleranceMs);
    expect(Math.abs(after.wall - before.wall - elapsed - shiftMs)).toBeLessThan(toleranceMs);
    expect(Math.abs(after.made - after.wall)).toBeLessThan(toleranceMs);
    child.kill();
    await once(child, 'exit');
    clock.remove();
  });

  test('is what Redis reads', async ({ skip }) => {
    if ('reason' in clocks) return skip(clocks.reason);
    const clock = clocks.create();
    const server = await startRedis(clock.env);
    const redis = new Redis(server.url);
    const timeMs = async () => Number((await redis.time())[0]) * 1000;
    expect(Math.abs((await timeMs()) - Date.now())).toBeLessThan(toleranceMs);
    clock.shift(shiftMs);
    expect(Math.abs((await timeMs()) - clock.now())).toBeLessThan(Math.min(toleranceMs, 1500));
    redis.disconnect();
    await server.stop();
    clock.remove();
  });
});

test('of Redis removes nothing for good until it has run for ten minutes without a jump ahead', async ({ skip }) => {
  if ('reason' in clocks) return skip(clocks.reason);
  const clock = clocks.create();
  const server = await startRedis(clock.env);
  const redis = new Redis(server.url);
  let passedMs = 0;
  const time = createProvenTime(redis, () => passedMs);
  const pass = (ms: number): void => clock.shift((passedMs += ms));
  expect(await time()).toBe(-Infinity);
  pass(hourMs);
  const begun = await time();
  expect(Math.abs(begun - clock.now())).toBeLessThan(toleranceMs);
  clock.shift(passedMs + 72 * hourMs);
  expect(await time()).toBeLessThan(begun + toleranceMs);
  clock.shift(passedMs);
  expect(Math.abs((await time()) - begun)).toBeLessThan(toleranceMs);
  redis.disconnect();
  await server.stop();
  clock.remove();
});
