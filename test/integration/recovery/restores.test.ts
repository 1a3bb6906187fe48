import { cp, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openSqliteStore } from '../../../shared/history/sqlite/store.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { type DurableRedis, startDurableRedis } from '../../support/durable-redis.ts';
import { patiently, sendPatiently } from '../../support/patiently.ts';
import { runCli } from '../../support/run-cli.ts';
import { numbers, sendMany } from '../../support/sending.ts';

/** Backups are restored, as docs/operations/restoring.md says. */

// Every test starts the processes three times.
vi.setConfig({ testTimeout: 90_000 });

const jump = 1_000_000;
const processes = ['web-1', 'fanout-1', 'archive-1'];

let redis: DurableRedis;
let cluster: Cluster;
let alice: Welcomed;
beforeEach(async () => {
  redis = await startDurableRedis();
  cluster = await startCluster({ redisUrl: redis.url });
  // It is away for a while: that is what is tried here.
  cluster.redis.on('error', () => undefined);
  alice = await cluster.connect('alice');
});
afterEach(async () => {
  await cluster.stop();
  await redis.stop();
});

const all = (what: (name: string) => Promise<void>): Promise<unknown> => Promise.all(processes.map(what));

/** Copies the history, whose processes are all stopped; the returned function restores it. */
async function copyHistory(): Promise<() => Promise<void>> {
  const folder = join(cluster.dir, 'backup');
  await mkdir(folder);
  const isHistory = (name: string): boolean => name.startsWith('history.db');
  for (const name of (await readdir(cluster.dir)).filter(isHistory))
    await cp(join(cluster.dir, name), join(folder, name));
  return async () => {
    for (const name of (await readdir(cluster.dir)).filter(isHistory)) await rm(join(cluster.dir, name));
    for (const name of await readdir(folder)) await cp(join(folder, name), join(cluster.dir, name));
  };
}

const cli = (...args: string[]) => runCli(cluster, args, { REDIS_URL: redis.url });

/** Three messages, a backup of everything, and three more. All processes are stopped in the end. */
async function backUpHalfway(): Promise<{ redis: () => Promise<void>; history: () => Promise<void> }> {
  await sendMany(alice, 'bob', 3, 'before');
  await cluster.settled();
  await all((name) => cluster.end(name));
  const backups = { redis: await redis.copy(), history: await copyHistory() };
  await all((name) => cluster.start(name));
  const again = await patiently(cluster, 'alice', { device: 'other' });
  await sendMany(again, 'bob', 3, 'after');
  await cluster.settled();
  await all((name) => cluster.end(name));
  return backups;
}

async function putBack(restore: () => Promise<void>): Promise<void> {
  await redis.kill();
  await restore();
  await redis.start();
}

/** Clients are told, and what was accepted next has a number that nobody has seen. Resolves the seqs of history. */
async function expectTold(): Promise<number[]> {
  const again = await patiently(cluster, 'alice', { epoch: alice.welcome.epoch, position: 3 });
  expect(again.welcome).toMatchObject({ reset: true });
  expect(again.welcome.epoch).not.toBe(alice.welcome.epoch);
  const { message } = await sendPatiently(again, 'next', { to: 'bob' });
  expect(message.seq).toBeGreaterThan(jump);
  await cluster.settled();
  const page = await again.request({ type: 'history', conversation: message.conversation, limit: 100 }, 'history');
  return page.messages.map(({ seq }) => seq).filter((seq) => seq < jump);
}

test('a Redis older than history is recognised by itself, and history still has everything', async () => {
  const backups = await backUpHalfway();
  await putBack(backups.redis);
  await all((name) => cluster.start(name));
  expect((await expectTold()).sort()).toEqual(numbers(1, 6));

  // Stream ids are a minute ahead now. What is accepted in that minute is not stored before it is.
  for (let i = 1; i <= 8; i++) {
    const group = { id: `quiet-${i}`, members: ['alice'] };
    expect((await cluster.http(cluster.token('alice'), 'POST', '/conversations', group)).status).toBe(201);
  }
  await cluster.settled();
  const history = openSqliteStore(join(cluster.dir, 'history.db'));
  for (const { completeAt } of await history.progress()) expect(completeAt).toBeLessThan(Date.now() + 1000);
  await history.close();
});

test('a history older than Redis stops the start; after `declare-loss` the streams are archived again', async () => {
  const backups = await backUpHalfway();
  // Redis has ended since the backup, so it was opened by an opening that the backup does not know.
  await redis.kill();
  await redis.start();
  await cluster.start('web-1');
  await cluster.end('web-1');
  await backups.history();

  await expect(cluster.start('web-1')).rejects.toThrow('history is older than Redis');
  expect(await cli('declare-loss')).toMatchObject({ code: 1, stderr: expect.stringContaining('--yes') });
  const declared = await cli('declare-loss', '--yes');
  expect(declared).toMatchObject({ code: 0, stdout: expect.stringContaining('after 1 losses') });
  await all((name) => cluster.start(name));
  expect((await expectTold()).sort()).toEqual(numbers(1, 6));
});

test('both restored to one moment cannot be seen from inside: `declare-loss` tells clients', async () => {
  const backups = await backUpHalfway();
  await putBack(backups.redis);
  await backups.history();
  expect(await cli('declare-loss', '--yes')).toMatchObject({ code: 0 });
  await all((name) => cluster.start(name));
  expect((await expectTold()).sort()).toEqual(numbers(1, 3));
});

test('`gate` says which run is open, and who may have seen numbers of it', async () => {
  const state = async () => JSON.parse((await cli('gate', '--json')).stdout) as { [field: string]: unknown };
  expect(await state()).toMatchObject({
    epoch: { history: alice.welcome.epoch, redis: alice.welcome.epoch },
    generation: 0,
    open: true,
    opening: null,
    processes: expect.arrayContaining(
      ['web', 'fanout', 'archive'].map((role) => expect.objectContaining({ role, awaited: false })),
    ),
  });
  await cluster.end('web-1', 'SIGKILL');
  const { stdout } = await cli('gate');
  expect(stdout).toContain('open since opening 1');
  expect(stdout).toMatch(/web .* is dead/);
  await redis.kill();
  await redis.start();
  await cluster.start('web-1');
  expect(await state()).toMatchObject({ generation: 1, open: true });
});
