import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openSqliteStore } from '../../../shared/history/sqlite/store.ts';
import type { HistoryStore } from '../../../shared/history/store.ts';
import { newestFormats } from '../../../shared/recovery/formats.ts';
import { slotsOf } from '../../../shared/recovery/slots.ts';
import { createProcesses } from '../../../shared/redis/processes.ts';
import { run } from '../../../shared/redis/scripts.ts';
import { createFormatsRaising } from '../../../workers/jobs/raising-formats.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { processRow } from '../../support/process-row.ts';

/** A deployment of an older version, and how its format number is raised. */

const everyMs = 5000;
const afterMs = 60_000;

let cluster: Cluster;
let history: HistoryStore;
let raised: unknown[];
let nowMs: number;

beforeEach(async () => {
  cluster = await startCluster({ fanout: false, archive: false });
  history = openSqliteStore(join(cluster.dir, 'history.db'));
  raised = [];
  nowMs = 0;
});
afterEach(async () => {
  await history.close();
  await cluster.stop();
});

/**
 * Leaves what a version before format numbers left behind: a file of the fifth schema, and in Redis number 1 and slots
 * that no opening has opened.
 */
async function makeOld(): Promise<void> {
  await history.close();
  const db = new DatabaseSync(join(cluster.dir, 'history.db'));
  db.exec(
    `DROP TABLE settings; DROP TABLE amendments; ALTER TABLE blocks DROP COLUMN rev;
      ALTER TABLE conversations DROP COLUMN creator;
      ALTER TABLE deployment DROP COLUMN formats; DROP TABLE processes; DROP TABLE slots; PRAGMA user_version = 5`,
  );
  db.close();
  const { redis, keys } = cluster;
  await redis.hset(keys.deployment, 'formats', '1');
  await redis.hdel(keys.deployment, 'gate');
  for (const slot of slotsOf(keys).keys) await redis.hdel(slot, 'open', 'gate', 'mark', 'line');
  history = openSqliteStore(join(cluster.dir, 'history.db'));
}

const formatsNow = async (): Promise<[inHistory: number | undefined, inRedis: number]> => [
  (await history.deployment())?.formats,
  Number(await cluster.redis.hget(cluster.keys.deployment, 'formats')),
];

/** Every process that reports itself has a row, as one that reads `newest`. */
async function enlistAll(): Promise<void> {
  const reporting = await vi.waitFor(async () => {
    const found = await createProcesses(cluster.redis, cluster.keys).list();
    expect(found).not.toEqual([]);
    return found;
  }, 15_000);
  for (const { id } of reporting) await history.enlist(processRow(id, { formats: newestFormats }));
}

/** One process of a version that reads up to 2, and raises the number. Its clock is the test's. */
function startRaising() {
  const silent = () => undefined;
  const look = createFormatsRaising({
    redis: cluster.redis,
    keys: cluster.keys,
    history,
    processes: createProcesses(cluster.redis, cluster.keys),
    newest: 2,
    log: { debug: silent, info: (line) => void raised.push(line), warn: silent, error: silent },
    afterMs,
    now: () => nowMs,
  });
  return async (forMs: number): Promise<void> => {
    for (const until = nowMs + forMs; nowMs < until; nowMs += everyMs) await look();
  };
}

test('a new deployment begins with the newest number', async () => {
  expect(await formatsNow()).toEqual([newestFormats, newestFormats]);
});

test('an older deployment starts at its number, and is raised a minute after the last older process', async () => {
  await cluster.end('web-1');
  await makeOld();
  await cluster.start('web-1');
  expect(await formatsNow()).toEqual([1, 1]);

  await enlistAll();
  await history.enlist(processRow('older', { formats: 1 }));
  const lookFor = startRaising();
  await lookFor(2 * afterMs);
  expect(await formatsNow()).toEqual([1, 1]);

  await history.dismiss(['older'], new Map());
  await lookFor(afterMs);
  expect(await formatsNow()).toEqual([1, 1]);
  await lookFor(everyMs);
  expect(await formatsNow()).toEqual([2, 2]);
  expect(raised).toEqual([{ event: 'formats_raised', formats: 2 }]);

  await lookFor(2 * afterMs);
  await cluster.end('web-1');
  await cluster.start('web-1');
  expect(await formatsNow()).toEqual([2, 2]);
  expect(raised).toHaveLength(1);
});

test('a process without a row keeps the number where it is, and the minute begins again after it', async () => {
  await cluster.end('web-1');
  await makeOld();
  await cluster.start('web-1');
  await enlistAll();
  const lookFor = startRaising();
  await lookFor(afterMs - everyMs);
  const processes = createProcesses(cluster.redis, cluster.keys);
  const [report] = await processes.list();
  await processes.report({ ...report!, id: 'older' });
  await lookFor(everyMs);
  await processes.leave('older');
  await lookFor(afterMs);
  expect(await formatsNow()).toEqual([1, 1]);
  // Nobody has looked for a while: who knows who was there.
  nowMs += afterMs;
  await lookFor(afterMs);
  expect(await formatsNow()).toEqual([1, 1]);
  await lookFor(everyMs);
  expect(await formatsNow()).toEqual([2, 2]);
});

test('a feature is served from the moment that the number allows it, and not before', async () => {
  await cluster.end('web-1');
  const [epoch] = await cluster.redis.hmget(cluster.keys.deployment, 'epoch');
  await history.close();
  const db = new DatabaseSync(join(cluster.dir, 'history.db'));
  db.exec('UPDATE deployment SET formats = 2');
  db.close();
  history = openSqliteStore(join(cluster.dir, 'history.db'));
  await cluster.redis.hset(cluster.keys.deployment, 'formats', '2');
  await cluster.start('web-1');
  const before = await cluster.connect('bob');
  expect(before.welcome.features).not.toContain('settings');
  expect(before.welcome.settings).toBeUndefined();
  const device = async (name: string) => {
    await cluster.connect('bob', { device: name, ephemeral: true });
    return cluster.redis.hget(cluster.keys.devices('bob'), name);
  };
  expect(before.welcome.features).not.toContain('ephemeral');
  expect(await device('tab')).toMatch(/^0 \d+$/);
  const settings = () => cluster.http(cluster.token('bob'), 'GET', '/settings');
  expect(await settings()).toMatchObject({ status: 404 });

  const stored = (await history.deployment())!;
  await history.saveDeployment(epoch!, { ...stored, formats: newestFormats });
  await run(cluster.redis, 'raise-formats', [cluster.keys.deployment], [epoch!, newestFormats]);
  await vi.waitFor(async () => expect(await settings()).toMatchObject({ status: 200 }), 10_000);
  const { welcome } = await cluster.connect('bob');
  expect(welcome.features).toContain('settings');
  expect(welcome.settings).toBeDefined();
  expect(welcome.features).toContain('ephemeral');
  expect(await device('tab')).toMatch(/^0 \d+ e$/);
});

test('a number that history has and Redis has not is finished at once', async () => {
  await cluster.redis.hset(cluster.keys.deployment, 'formats', '1');
  const lookFor = startRaising();
  await lookFor(everyMs);
  expect(await formatsNow()).toEqual([newestFormats, newestFormats]);
});

test('Redis takes a higher number of its own epoch only', async () => {
  const [epoch] = await cluster.redis.hmget(cluster.keys.deployment, 'epoch');
  const raise = (of: string | null, to: number) =>
    run(cluster.redis, 'raise-formats', [cluster.keys.deployment], [of ?? '', to]);
  expect(await raise('another', 7)).toBe(0);
  expect(await raise(epoch!, 1)).toBe(0);
  expect(await raise(epoch!, newestFormats)).toBe(0);
  expect(await raise(epoch!, 10)).toBe(1);
  expect(await raise(epoch!, 9)).toBe(0);
  expect((await formatsNow())[1]).toBe(10);
});

test.each(['Redis', 'history'])('a number in %s above what a version reads stops its start', async (where) => {
  await cluster.end('web-1');
  const above = newestFormats + 1;
  if (where === 'Redis') await cluster.redis.hset(cluster.keys.deployment, 'formats', above);
  else {
    const stored = (await history.deployment())!;
    await history.saveDeployment(stored.epoch, { ...stored, formats: above });
    // An empty Redis says nothing. History alone has to stop it.
    await cluster.wipe();
  }
  await expect(cluster.start('web-1')).rejects.toThrow();
  expect(await cluster.log('web-1')).toContainEqual(
    expect.objectContaining({
      event: 'failed',
      reason: expect.stringContaining(`this deployment is at formats ${above}, this version reads 1 to`),
    }),
  );
});
