import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { termsOf } from '../../../shared/search/terms.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { runCli } from '../../support/run-cli.ts';
import { type Searching, searchingOn } from '../../support/searching.ts';

/** Processes of the line `search` that are killed, paused, and given a wrong index; and what operators see of them. */

const adminToken = 'the-token-of-the-desk';
let cluster: Cluster;
let on: Searching;
beforeAll(async () => {
  cluster = await startCluster({ search: 2, jobs: true, env: { ADMIN_TOKEN: adminToken } });
  on = searchingOn(cluster);
}, 90_000);
afterAll(() => cluster.stop());

const patient = { timeout: 20_000, interval: 100 };
const file = (): string => join(cluster.dir, 'search.db');

type State = { process: string; owner: string; behindMs: number; docs: number; rebuilding: boolean };
async function admin(method: string, path: string): Promise<{ status: number; body: unknown }> {
  const url = `${cluster.url().replace(/^ws/, 'http').replace('/v1/ws', '')}/admin/api/${path}`;
  const response = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${adminToken}`, 'x-restante-admin': '1' },
  });
  return { status: response.status, body: await response.json() };
}
const states = async (): Promise<State[]> => ((await admin('GET', 'search')).body as { processes: State[] }).processes;

const cli = (...args: string[]) => runCli(cluster, args);

/** Ends all search processes and starts them again; resolves when the index is current. */
async function restart(between: () => Promise<unknown>): Promise<void> {
  await cluster.end('search');
  await between();
  await cluster.start('search');
}

test('operators see who writes, how far behind it is, and search as a user', async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  await on.send(alice, { to: bob }, 'for operators');
  await on.until(bob, 'operators', 1);
  await vi.waitFor(async () => {
    const found = await states();
    expect(found).toHaveLength(2);
    for (const one of found) {
      expect(one).toMatchObject({ rebuilding: false, owner: found[0]!.owner });
      expect(one.behindMs).toBeLessThan(5000);
      expect(one.docs).toBeGreaterThan(0);
    }
    expect(found.map(({ process }) => process)).toContain(found[0]!.owner);
  }, patient);
  expect(await cluster.metrics('search-1')).toMatch(/restante_search_lag_seconds\{role="search"\} [0-4]/);
  expect(await cluster.metrics('search-1')).toMatch(/restante_search_docs\{role="search"\} [1-9]/);
  expect((await cli('search', 'operators', '--user', bob)).stdout).toMatch(/alice_\d+: for operators\n1 found\n$/);
  expect((await cli('search', 'operators', '--user', 'nobody')).stdout).toBe('0 found\n');
  expect(await cli('search', '…')).toMatchObject({ code: 1, stderr: expect.stringContaining('bad_request') });
});

test('another process answers when one is killed, and writes after a while', async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  await on.send(alice, { to: bob }, 'before the kill');
  await on.until(bob, 'kill', 1);
  await cluster.end('search-1', 'SIGKILL');
  expect(on.bodies(await on.search(bob, 'kill'))).toEqual(['before the kill']);
  await on.send(alice, { to: bob }, 'after the kill');
  await on.until(bob, 'kill', 2, {}, 20_000);
  await cluster.start('search-1');
}, 60_000);

test('another process answers for one that stands still', async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  await on.send(alice, { to: bob }, 'stillness');
  await on.until(bob, 'stillness', 1);
  cluster.pause('search-1');
  try {
    for (let i = 0; i < 6; i++) expect(on.bodies(await on.search(bob, 'stillness'))).toEqual(['stillness']);
  } finally {
    cluster.resume('search-1');
  }
}, 60_000);

test('processes killed at any moment leave an index that catches up, with nothing twice', async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const conversation = await on.group(alice, bob);
  let sent = 0;
  for (let round = 0; round < 4; round++) {
    const sending = Array.from({ length: 100 }, () => on.send(alice, { conversation }, `mortal ${sent++}`));
    await Promise.all(sending.slice(0, 25 * (round + 1)));
    await cluster.end('search', 'SIGKILL');
    await Promise.all(sending);
    await cluster.start('search');
  }
  const expected = Array.from({ length: sent }, (_, i) => `mortal ${i}`).toSorted();
  await vi.waitFor(
    async () => expect((await on.all(bob, 'mortal')).map(({ body }) => body).toSorted()).toEqual(expected),
    patient,
  );
}, 120_000);

test('without any search process searches are refused, and nothing else', async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const { conversation } = await on.send(alice, { to: bob }, 'unfound');
  await on.until(bob, 'unfound', 1);
  await cluster.end('search', 'SIGKILL');
  const refused = await on.ask(cluster.token(bob), { q: 'unfound' });
  expect(refused).toMatchObject({ status: 503, body: { error: { code: 'retry_later', retryable: true } } });
  expect(refused.headers.get('retry-after')).toBe('1');
  await on.send(alice, { to: bob }, 'unfound too');
  const { body } = await cluster.http(cluster.token(bob), 'GET', `/conversations/${conversation}/messages`);
  expect((body as { messages: object[] }).messages).toHaveLength(2);
  await cluster.start('search');
  await on.until(bob, 'unfound', 2, {}, 20_000);
}, 60_000);

test('processes that stand still stop neither sending nor trimming', async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  cluster.pause('search');
  try {
    const all = Array.from({ length: 500 }, (_, i) => on.send(alice, { to: bob }, `standing ${i}`));
    const { conversation } = (await Promise.all(all))[0]!;
    await cluster.settled();
    const stream = cluster.keys.messages(cluster.keys.partitionOf(conversation));
    await vi.waitFor(async () => expect(await cluster.redis.xlen(stream)).toBe(0), patient);
    expect(await on.ask(cluster.token(bob), { q: 'standing' })).toMatchObject({ status: 503 });
  } finally {
    cluster.resume('search');
  }
  await on.until(bob, 'standing 499', 1, {}, 20_000);
}, 60_000);

test('an older index shows nothing that is forbidden, and is repaired', async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const conversation = await on.group(alice, bob);
  const recalled = await on.send(alice, { conversation }, 'aged secret');
  const edited = await on.send(alice, { conversation }, 'aged wording');
  await on.until(bob, 'aged', 2);
  const copy = join(cluster.dir, 'older.db');
  await restart(() => copyFile(file(), copy));
  await on.amend(recalled);
  await on.amend(edited, 'aged phrase');
  await on.member('DELETE', conversation, bob);
  await on.send(alice, { conversation }, 'aged news');
  await on.until(alice, 'aged', 2, {}, 20_000);
  await restart(async () => {
    for (const ending of ['-wal', '-shm']) await rm(`${file()}${ending}`, { force: true });
    await copyFile(copy, file());
  });
  // From the first moment on, whatever the index says.
  expect(on.bodies(await on.search(alice, 'secret'))).toEqual([]);
  expect(on.bodies(await on.search(alice, 'wording'))).toEqual([]);
  expect(on.bodies(await on.until(alice, 'aged', 2, {}, 60_000))).toEqual(['aged news', 'aged phrase']);
  expect(on.bodies(await on.search(bob, 'aged'))).toEqual(['aged phrase']);
}, 120_000);

test('the index is made again while messages arrive, and is then equal to history', async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const conversation = await on.group(alice, bob);
  const words = ['上海', '北京', 'harbour', 'Fluß', 'порт'];
  const bodyOf = (i: number): string => `item ${i} ${words[i % words.length]} ${words[(i * 7) % words.length]}`;
  let sent = 0;
  const say = async (count: number) => {
    for (const end = sent + count; sent < end; sent++) await on.send(alice, { conversation }, bodyOf(sent));
  };
  await say(200);
  await on.until(bob, 'item 199', 1);
  const rebuilds = async () => (await cluster.log('search')).filter(({ event }) => event === 'search_rebuilt').length;
  const before = await rebuilds();
  const reindexing = cli('reindex');
  let done = false;
  const watching = vi
    .waitFor(async () => expect(await rebuilds()).toBeGreaterThan(before), patient)
    .finally(() => (done = true));
  while (!done) {
    await say(5);
    // The old index answers until the new one does.
    expect((await on.all(bob, 'item 7')).map(({ body }) => body)).toContain(bodyOf(7));
  }
  await watching;
  expect(await reindexing).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^made again: \d{3,} messages of \d+ conversations\n$/) as string,
  });
  await on.until(bob, `item ${sent - 1}`, 1);
  for (const q of ['海', '北京', 'harb', 'fluß', 'порт 上海', '"item 1', 'item 19']) {
    const expected = Array.from({ length: sent }, (_, i) => bodyOf(i)).filter((text) =>
      q.split(' ').every((word) => termsOf(text).some((term) => term.startsWith(word.replace('"', '')))),
    );
    // What came after the last pass is found once the new index was compared with history, which follows at once.
    await vi.waitFor(async () => {
      const seen = await on.all(bob, q);
      // Messages of one millisecond may come in any order.
      expect(seen.map(({ at }) => at)).toEqual(seen.map(({ at }) => at).toSorted((a, b) => b - a));
      const bodies = seen.toSorted((a, b) => a.seq - b.seq).map(({ body }) => body);
      expect([q, bodies]).toEqual([q, expected]);
    }, patient);
  }
  expect(await admin('POST', 'search/rebuild')).toEqual({ status: 202, body: { state: 'requested' } });
  await vi.waitFor(async () => expect(await rebuilds()).toBeGreaterThan(before + 1), patient);
}, 120_000);

test('what retention hides is not found, whatever the index says', async () => {
  const alice = cluster.user('alice');
  const conversation = await on.group(alice);
  const old = await on.send(alice, { conversation }, 'parchment one');
  await on.send(alice, { conversation }, 'parchment two');
  await cluster.settled();
  // Nobody has read the message yet, so history is the only place where its time stands.
  const database = new DatabaseSync(join(cluster.dir, 'history.db'));
  const aged = `"at":${old.at - 200 * 86_400_000},`;
  database.exec(`UPDATE texts SET texts = replace(texts, '"at":${old.at},', '${aged}') WHERE texts LIKE '%ment one%'`);
  database.close();
  expect(await cli('reindex', '--conversation', conversation)).toMatchObject({ code: 0 });
  expect(on.bodies(await on.until(alice, 'parchment', 1))).toEqual(['parchment two']);
  expect(await on.search(alice, 'parchment one')).toMatchObject({ messages: [], more: false });
});

test('a process ends within 8 s, also while it is asked and written to', async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const sending = Promise.all(Array.from({ length: 300 }, (_, i) => on.send(alice, { to: bob }, `ending ${i}`)));
  const began = performance.now();
  await cluster.end('search');
  expect(performance.now() - began).toBeLessThan(8000);
  await sending;
  expect((await cluster.log('search')).filter(({ event }) => event === 'stopped').at(-1)).toMatchObject({
    outcome: 'closed',
  });
  await cluster.start('search');
  await on.until(bob, 'ending 299', 1, {}, 20_000);
}, 60_000);
