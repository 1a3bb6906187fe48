import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { coldFolders } from '../../../shared/history/cold/cold-block.ts';
import { withCold } from '../../../shared/history/cold/cold.ts';
import { openFolder } from '../../../shared/history/cold/folder.ts';
import { openDatabase } from '../../../shared/history/sqlite/schema.ts';
import { openSqliteStore } from '../../../shared/history/sqlite/store.ts';
import type { HistoryStore } from '../../../shared/history/store.ts';
import { createMetrics } from '../../../shared/process/metrics.ts';
import { createBaking } from '../../../workers/compaction/baking.ts';
import { createCooling } from '../../../workers/compaction/cooling.ts';
import { createDiscarding } from '../../../workers/compaction/discarding.ts';
import { createMerging } from '../../../workers/compaction/merging.ts';
import { edit, groupOf, readAll, recall, say } from '../../support/amending.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { hoursLater } from '../../support/hours-later.ts';
import { sendMany } from '../../support/sending.ts';
import { createUnloader, type Unloader } from '../../support/unloading.ts';

/** What becomes of amended messages in history, on a whole cluster: the parts of the compaction are run by the test. */

const dayMs = 86_400_000;
const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

let cold: string;
let cluster: Cluster;
let store: HistoryStore;
let unloader: Unloader;
let alice: Welcomed;
let bob: Welcomed;
beforeAll(async () => {
  cold = await mkdtemp(join(tmpdir(), 'restante-cold-'));
  cluster = await startCluster({ gateways: 2, env: { COLD_URL: `file:${cold}` } });
  store = openSqliteStore(join(cluster.dir, 'history.db'));
  unloader = createUnloader(cluster);
});
afterAll(async () => {
  await unloader.close();
  await store.close();
  await cluster.stop();
  await rm(cold, { recursive: true });
});
beforeEach(async () => {
  alice = await cluster.connect(cluster.user('alice'));
  bob = await cluster.connect(cluster.user('bob'), { gateway: 2 });
});

const metrics = createMetrics('test');
const later = (): number => Date.now() + 100 * dayMs;
const objects = () => openFolder(cold);
const parts = () => ({ redis: cluster.redis, keys: cluster.keys, metrics, now: later });
async function bake(): Promise<void> {
  const history = withCold(store, objects());
  await createBaking({ ...parts(), history, objects: objects(), log: quiet, purgeMs: 60_000 })();
}

const raw = async (): Promise<string> => {
  const db = openDatabase(join(cluster.dir, 'history.db'), false);
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  db.close();
  return (await readFile(join(cluster.dir, 'history.db'))).toString('latin1');
};

const verify = async (): Promise<{ total: number; totals: { oldBodies: number } }> => {
  const env = {
    ...process.env,
    REDIS_URL: inject('redisUrl'),
    KEY_PREFIX: cluster.prefix,
    DATA_DIR: cluster.dir,
    COLD_URL: `file:${cold}`,
  };
  const { stdout } = await promisify(execFile)(process.execPath, ['cli/main.ts', 'verify', '--json'], { env });
  return JSON.parse(stdout) as { total: number; totals: { oldBodies: number } };
};

describe('stored bytes', () => {
  test('go: of single, merged and cold blocks, and the audit says so', async () => {
    const group = { conversation: await groupOf(cluster, alice.welcome.user, bob.welcome.user) };
    const first = await say(alice, group, 'the word xylograph-1');
    for (let i = 2; i <= 12; i++) {
      await say(alice, group, `the word xylograph-${i} in message ${i}`);
      // Each in a block of its own.
      await cluster.settled('history');
    }
    await edit(alice, group, first + 1, 'the word xylem-2');
    await cluster.settled();
    await recall(alice, group, first);
    await edit(alice, group, first + 1, 'the word violet-2');
    await recall(alice, group, first + 2);
    await cluster.settled();
    const bytes = await raw();
    for (const word of ['xylograph-1"', 'xylograph-2 ', 'xylograph-3 ']) expect(bytes).toContain(word);
    // The body of an edit vanishes with its row.
    expect(bytes).not.toContain('xylem');
    expect(await verify()).toMatchObject({ total: 0, totals: { oldBodies: 3 } });

    const read = await readAll(bob, group);
    await bake();
    expect(await verify()).toMatchObject({ total: 0, totals: { oldBodies: 0 } });
    const after = await raw();
    for (const word of ['xylograph-1"', 'xylograph-2 ', 'xylograph-3 ']) expect(after).not.toContain(word);
    for (const word of ['xylograph-4 ', 'violet-2']) expect(after).toContain(word);
    expect(await readAll(bob, group)).toEqual(read);

    await recall(alice, group, first + 3);
    await cluster.settled();
    await createMerging({ ...parts(), history: store })();
    expect(await verify()).toMatchObject({ totals: { oldBodies: 0 } });
    expect(await raw()).not.toContain('xylograph-4 ');

    // In the cold store, and recalled only then.
    await createCooling({ ...parts(), history: store, objects: objects(), afterMs: 90 * dayMs, least: 1 })();
    await recall(alice, group, first + 4);
    await cluster.settled();
    expect(await verify()).toMatchObject({ totals: { oldBodies: 1 } });
    await bake();
    const discard = createDiscarding({ ...parts(), history: store, objects: objects() });
    for (let i = 0; i < 9; i++) await discard();
    expect(await verify()).toMatchObject({ total: 0, totals: { oldBodies: 0 } });
    const texts = (await withCold(store, objects()).blocks(group.conversation, 1, 99, 'oldest', 99)).flatMap(
      (block) => block.texts,
    );
    expect(texts.join('')).not.toMatch(/xylograph-[12345]\D/);
    expect(texts.join('')).toContain('xylograph-6 ');
    const names = (await Promise.all(coldFolders.map((folder) => objects().list(folder)))).flat();
    // The object of the revision before is gone, and the last recall lies in a block that is not cold.
    expect(names).toHaveLength(1);
  });
});

test('the process `jobs` takes old bodies out by itself', async () => {
  const to = { to: bob.welcome.user };
  const seq = await say(alice, to, 'the word zeugma');
  const { conversation } = await recall(alice, to, seq);
  await cluster.settled();
  expect(await raw()).toContain('zeugma');
  // As if it had been recalled an hour ago.
  const db = openDatabase(join(cluster.dir, 'history.db'), false);
  db.prepare('UPDATE amendments SET at = at - 3600000 WHERE conversation = ?').run(conversation);
  db.close();
  await cluster.start('jobs');
  await vi.waitFor(async () => expect(await raw()).not.toContain('zeugma'), { timeout: 30_000, interval: 500 });
  await vi.waitFor(async () => expect(await cluster.metrics('jobs-1')).toMatch(/restante_baked_total\{.*\} [1-9]/), {
    timeout: 15_000,
  });
  await cluster.end('jobs');
}, 60_000);

describe('a send that comes again', () => {
  const uuid = (i: number): string => `00000001-0000-7000-8000-${i.toString(16).padStart(12, '0')}`;

  test('is the same send, whatever has become of its message, before and after its body is gone', async () => {
    const group = { conversation: await groupOf(cluster, alice.welcome.user, bob.welcome.user) };
    const send = (i: number, body: unknown) => ({ type: 'send', clientId: uuid(i), ...group, kind: 'text', body });
    const seqs: number[] = [];
    for (const i of [1, 2, 3]) seqs.push((await alice.request(send(i, `m-${i}`), 'accepted')).message.seq);
    await edit(alice, group, seqs[0]!, 'edited');
    await recall(alice, group, seqs[1]!);
    await cluster.settled();
    const partition = cluster.keys.partitionOf(group.conversation);
    const again = async (): Promise<void> => {
      await hoursLater(cluster.redis, cluster.keys.partitionBase(partition), cluster.keys.partitionSlot(partition), [
        cluster.keys.conversation(partition, group.conversation),
      ]);
      for (const i of [1, 2, 3]) {
        const answer = await alice.request(send(i, `m-${i}`), 'accepted');
        expect(answer).toMatchObject({ duplicate: true, message: { seq: seqs[i - 1] } });
      }
      // One that was not amended is compared.
      expect((await alice.request(send(3, 'other'), 'error')).code).toBe('conflict');
    };
    await again();
    await bake();
    expect(await raw()).not.toContain('"m-1"');
    await again();
  });
});

describe('an unloaded conversation', () => {
  test('reads as before, and is amended on', async () => {
    const group = { conversation: await groupOf(cluster, alice.welcome.user, bob.welcome.user) };
    const seq = await say(alice, group, 'zero');
    await sendMany(alice, group, 3);
    const { amendSeq } = await edit(alice, group, seq, 'one');
    await cluster.settled();
    const before = await readAll(bob, group);
    for (let round = 2; round <= 3; round++) {
      await unloader.unload(group.conversation);
      await cluster.redis.del(cluster.keys.notes(cluster.keys.partitionOf(group.conversation), group.conversation));
      if (round === 2) expect(await readAll(bob, group)).toEqual(before);
      const amended = await edit(alice, group, seq, `round ${round}`);
      expect(amended).toMatchObject({ version: round });
      expect(amended.amendSeq).toBe(amendSeq + round - 1);
      expect((await readAll(bob, group))[0]).toMatchObject({ body: `round ${round}`, amended: { version: round } });
      await cluster.settled();
    }
  });
});

describe('a poisoned amendment', () => {
  test('is a dead letter that a gauge tells of', async () => {
    const group = { conversation: await groupOf(cluster, alice.welcome.user, bob.welcome.user) };
    const seq = await say(alice, group, 'kept');
    const { keys, redis } = cluster;
    const partition = keys.partitionOf(group.conversation);
    // Its body was lost on the way.
    const routing = `1 amended ${group.conversation} ${seq + 1} ${seq} 1 ${alice.welcome.user} * normal - - ${seq} 1 r`;
    await redis.hset(keys.conversation(partition, group.conversation), 'seq', seq + 1, 'prev', seq + 1);
    await redis.xadd(keys.messages(partition), '*', 'r', routing, 't', '"sender":"x"');
    await say(alice, group, 'goes on');
    await cluster.settled();
    expect((await readAll(bob, group)).map(({ body }) => body)).toEqual(['kept', 'goes on']);
    await cluster.start('jobs');
    await vi.waitFor(
      async () => expect(await cluster.metrics('jobs-1')).toMatch(/restante_amendments_lost\{.*\} 1\n/),
      { timeout: 15_000 },
    );
    await cluster.end('jobs');
  });
});
