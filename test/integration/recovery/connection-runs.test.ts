import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createConnections, whenReady } from '../../../shared/redis/connection/connect.ts';
import { holdCommands } from '../../../shared/redis/connection/held-commands.ts';
import { runOf } from '../../../shared/redis/connection/run.ts';
import { infoField } from '../../../shared/redis/server-info.ts';
import { type DurableRedis, startDurableRedis } from '../../support/durable-redis.ts';

/** Each connection knows the run of Redis that it leads to, and can be dropped for leading to another. */

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

let server: DurableRedis;
beforeAll(async () => {
  server = await startDurableRedis();
});
afterAll(() => server.stop());

test('a connection knows its run from before it is ready until it closes, and the next one after that', async () => {
  const redis = createConnections(server.url, quiet).commands();
  expect(runOf(redis)).toBe('');
  const atReady = once(redis, 'ready').then(() => runOf(redis));
  await whenReady(redis);
  const first = infoField(await redis.info('server'), 'run_id');
  expect(await atReady).toBe(first);
  expect(runOf(redis)).toBe(first);
  expect(runOf(redis.pipeline().ping())).toBe(first);
  const unheld = holdCommands(redis, { run: '' });
  expect(runOf(unheld)).toBe(first);

  const atClose = once(redis, 'close').then(() => runOf(redis));
  await server.kill();
  expect(await atClose).toBe('');
  await server.start();
  await whenReady(redis);
  const second = infoField(await redis.info('server'), 'run_id');
  expect(second).not.toBe(first);
  expect([runOf(redis), runOf(unheld), runOf(unheld.pipeline())]).toEqual([second, second, second]);
  redis.disconnect();
});

test('connections to another run are dropped, whatever their kind, and those to this run stay', async () => {
  const connections = createConnections(server.url, quiet);
  const all = [connections.commands(), connections.blocking(), connections.subscriber(), connections.queue()];
  await Promise.all(all.map((redis) => whenReady(redis)));
  const run = runOf(all[0]!);
  const closed: number[] = [];
  all.forEach((redis, i) => redis.on('close', () => closed.push(i)));

  connections.keepOnly(run);
  expect(await Promise.all(all.map((redis) => redis.ping()))).toEqual(['PONG', 'PONG', 'PONG', 'PONG']);
  expect(closed).toEqual([]);

  connections.keepOnly('another');
  expect(all.map(runOf)).toEqual(['', '', '', '']);
  await Promise.all(all.map((redis) => once(redis, 'ready')));
  expect(closed.sort()).toEqual([0, 1, 2, 3]);
  expect(all.map(runOf)).toEqual([run, run, run, run]);
  for (const redis of all) redis.disconnect();
});

test('a connection that is dropped sends nothing more, and rejects what is on its way', async () => {
  const connections = createConnections(server.url, quiet);
  const redis = connections.commands();
  await whenReady(redis);
  const early = redis.blpop('connection-runs-test', 1);
  connections.keepOnly('another');
  const outcomes = await Promise.allSettled([early, redis.ping()]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  redis.disconnect();
});
