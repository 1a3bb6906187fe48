import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, inject, test, vi } from 'vitest';
import { openSqliteStore } from '../../../shared/history/sqlite/store.ts';
import type { HistoryStore } from '../../../shared/history/store.ts';
import type { Logger } from '../../../shared/process/log.ts';
import { createDeployment } from '../../../shared/recovery/deployment.ts';
import { newestFormats } from '../../../shared/recovery/formats.ts';
import { whenReady } from '../../../shared/redis/connection/connect.ts';
import { runOf } from '../../../shared/redis/connection/run.ts';
import { createKeys, type Keys } from '../../../shared/redis/keys.ts';
import { run } from '../../../shared/redis/scripts.ts';
import { connectRedis } from '../../support/redis-connection.ts';
import { startRedis } from '../../support/redis-server.ts';

/**
 * Two processes at their first start, with a history that answers slowly: whoever opens may take longer than the lock
 * lasts.
 */

/** The lock lasts 5 s. */
const slowMs = 6000;

let dir: string;
let keys: Keys;
let store: HistoryStore;
let connections: Redis[];
let lost: object[];
const log: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: (fields) => void lost.push(fields),
};

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'restante-test-'));
  keys = createKeys(`t${randomBytes(6).toString('hex')}`, 2, 4);
  store = openSqliteStore(join(dir, 'history.db'));
  connections = [];
  lost = [];
});
afterEach(async () => {
  for (const redis of connections) redis.disconnect();
  await store.close();
  await rm(dir, { recursive: true });
});

async function connect(url = inject('redisUrl'), commandTimeout = 2000): Promise<Redis> {
  const redis = connectRedis(url, { commandTimeout });
  connections.push(redis);
  await whenReady(redis);
  return redis;
}

/** The real store; what the deployment asks of it takes `ms` longer. */
const slowed = (ms: number, saving: () => Promise<void> = async () => undefined): HistoryStore => ({
  ...store,
  async saveDeployment(expected, next) {
    // Time itself is tested: the lock lasts 5 s, and this may take longer.
    await pause(ms);
    await saving();
    return store.saveDeployment(expected, next);
  },
});

const startedOn = (redis: Redis, history: HistoryStore, keepOnly: (run: string) => void = () => undefined) =>
  createDeployment({
    redis,
    keys,
    history,
    process: { id: randomBytes(6).toString('hex'), role: 'test' },
    keepOnly,
    log,
    fail: (thrown) => {
      throw thrown;
    },
  });
const starting = async (history: HistoryStore) => startedOn(await connect(), history);

test('a slow first start is no loss for a process that starts meanwhile', async () => {
  const [slow, other] = [await starting(slowed(slowMs)), await starting(store)];
  const redis = await connect();
  const opening = slow.open();
  // The other one starts while the slow one holds the lock.
  await vi.waitFor(async () => expect(await redis.exists(keys.deploymentLock)).toBe(1), {
    timeout: 15_000,
    interval: 10,
  });
  await Promise.all([opening, other.open()]);
  expect(other.current).toEqual(slow.current);
  expect(other.current).toMatchObject({ generation: 0, opened: true, losses: [] });
  expect(await redis.hgetall(keys.deployment)).toMatchObject({ epoch: slow.current.epoch, opened: '1', gate: '1' });
  expect(lost).toEqual([]);
}, 60_000);

test('a format number that is raised while a process runs is known to it', async () => {
  const deployment = await starting(store);
  expect(deployment.formats()).toBe(0);
  await deployment.open();
  expect(deployment.formats()).toBe(newestFormats);
  const redis = await connect();
  await run(redis, 'raise-formats', [keys.deployment], [deployment.current.epoch, newestFormats + 1]);
  await vi.waitFor(() => expect(deployment.formats()).toBe(newestFormats + 1), { timeout: 5000, interval: 20 });
});

test('a process that has lost the lock does nothing more, and both agree in the end', async () => {
  const redis = await connect();
  const other = await starting(store);
  let saves = 0;
  const slow = await starting(
    slowed(0, async () => {
      if (++saves > 1) return;
      await redis.del(keys.deploymentLock);
      await other.open();
    }),
  );
  await slow.open();
  expect(slow.current).toEqual(other.current);
  expect(slow.current).toMatchObject({ generation: 0, opened: true, losses: [] });
  expect(await redis.hget(keys.partitionSlot(0), 'epoch')).toBe(slow.current.epoch);
  expect(lost).toEqual([]);
});

test('a time-out in the middle of an opening is no loss', async () => {
  const server = await startRedis();
  try {
    const [redis, impatient] = [await connect(server.url), await connect(server.url, 100)];
    let pauses = -1;
    const history: HistoryStore = {
      ...store,
      async progress() {
        const found = await store.progress();
        if (pauses >= 0 && pauses++ === 0) await redis.client('PAUSE', 400, 'ALL');
        return found;
      },
    };
    const [first, one] = [startedOn(redis, history), startedOn(impatient, history)];
    await first.open();
    await redis.xadd(keys.messages(0), '2-0', 'r', '1');
    await store.write({
      progress: { partition: 0, streamId: '2-0', completeAt: 1 },
      conversations: [],
      members: [],
      skips: [],
      amendments: [],
      blocks: [],
    });
    await redis.hdel(keys.deployment, 'run');
    pauses = 0;
    await Promise.all([one.open(), first.openAgain()]);
    expect(one.current.generation).toBe(0);
    expect(pauses).toBeGreaterThan(1);
    expect(lost).toEqual([]);
  } finally {
    for (const redis of connections) redis.disconnect();
    await server.stop();
  }
});

test('a connection that comes to another run later is dropped within a second', async () => {
  const kept: string[] = [];
  const redis = await connect();
  const deployment = startedOn(redis, store, (named) => void kept.push(named));
  await deployment.open();
  kept.length = 0;
  await vi.waitFor(() => expect(kept).toEqual([runOf(redis)]), { timeout: 3000, interval: 50 });
});
