import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { HistoryStore } from '../../../shared/history/store.ts';
import { createLoading } from '../../../shared/recovery/loading.ts';
import { createConversations } from '../../../shared/redis/conversations/conversations.ts';
import { lossJump } from '../../../shared/redis/loss.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import type { Frame } from '../../support/frames.ts';
import { snapshot } from '../../support/older-redis.ts';
import { sendPatiently } from '../../support/patiently.ts';
import { numbers, sendMany } from '../../support/sending.ts';
import { createUnloader, type Unloader } from '../../support/unloading.ts';

/**
 * What may happen between the steps of unloading and loading: no seq is given twice, and none is skipped without a
 * loss.
 */

let cluster: Cluster;
let unloader: Unloader;
let alice: Welcomed;
let names: string[];
let group: string;
let path: string;
let groups = 0;

/** A group of three with three messages that are settled. Everything of tests before it is unloaded already. */
async function prepare(): Promise<void> {
  unloader = createUnloader(cluster);
  await unloader.walk();
  await unloader.close();
  unloader = createUnloader(cluster);
  names = ['alice', 'bob', 'carol'].map((name) => cluster.user(name));
  group = `group-${++groups}`;
  path = `/conversations/${group}`;
  alice = await cluster.connect(names[0]!);
  await http('POST', '/conversations', { id: group, members: names, name: 'Tea' });
  await sendMany(alice, { conversation: group }, 3);
  await cluster.settled();
}

const http = async (method: string, route: string, body?: object) =>
  cluster.http(cluster.token(names[0]!), method, route, body);
const next = async (device = alice): Promise<Frame<'accepted'>['message']> =>
  (await sendPatiently(device, `next-${device.frames.length}`, { conversation: group })).message;

async function whole(device = alice) {
  const { messages, absent } = await device.request(
    { type: 'history', conversation: group, after: 0, limit: 100 },
    'history',
  );
  return { seqs: messages.map(({ seq }) => seq), absent };
}
const members = async () =>
  ((await http('GET', path)).body as { members: { user: string; joinedSeq: number }[] }).members;

/** The history, in which something happens between its being read and what is done with the answer; once. */
function interrupted(what: () => Promise<unknown>): HistoryStore {
  let done = false;
  return {
    ...unloader.store,
    async conversation(id) {
      const found = await unloader.store.conversation(id);
      if (id === group && !done) {
        done = true;
        await what();
      }
      return found;
    },
  };
}

/** Everything above what was ever known is void. */
async function jumpsAbove(last: number, of: Welcomed = alice): Promise<void> {
  const { seq } = await next(of);
  expect(seq).toBe(last + lossJump + 1);
  await cluster.settled();
  expect(await whole(of)).toEqual({
    seqs: [...numbers(1, last), seq],
    absent: [{ fromSeq: last + 1, toSeq: seq - 1 }],
  });
  expect(await members()).toEqual(names.map((user) => ({ user, joinedSeq: 0 })));
}

describe('on a cluster that loses nothing', () => {
  // So that messages wait for the fanout.
  beforeAll(async () => void (cluster = await startCluster({ env: { SHORT_WAY: '0' } })));
  beforeEach(prepare);
  afterEach(() => unloader.close());
  afterAll(() => cluster.stop());

  describe('nothing is unloaded of which history has not everything', () => {
    test.each<[string, () => Promise<unknown>]>([
      ['a send', () => next()],
      ['a change of members', () => http('DELETE', `${path}/members/${names[2]}`)],
      ['a change of name', () => http('PATCH', path, { name: 'Coffee' })],
    ])('%s between the reading of history and the decision', async (_, what) => {
      await unloader.walk(interrupted(what));
      expect([await unloader.isUnloaded(group), await unloader.unloaded()]).toEqual([false, 0]);
      // The same when the archive is faster than the script.
      await cluster.settled();
      await unloader.walk(interrupted(async () => (await next(), await cluster.settled())));
      expect(await unloader.isUnloaded(group)).toBe(false);
      await unloader.walk();
      expect(await unloader.isUnloaded(group)).toBe(true);
    });

    test.each(['archive', 'fanout'] as const)('while the %s has not settled it', async (line) => {
      await cluster.end(line);
      await next();
      await cluster.settled(line === 'archive' ? 'inbox' : 'history');
      await unloader.walk();
      expect(await unloader.isUnloaded(group)).toBe(false);
      await cluster.start(line);
      await cluster.settled();
      await unloader.walk();
      expect(await unloader.isUnloaded(group)).toBe(true);
    });

    test.each([
      ["UPDATE members SET spans = '0-2' WHERE user = $carol", "UPDATE members SET spans = '0-' WHERE user = $carol"],
      ['DELETE FROM members WHERE user = $carol', "INSERT INTO members VALUES ($group, $carol, '0-', 1)"],
      [
        "UPDATE conversations SET name = 'Coffee' WHERE id = $group",
        "UPDATE conversations SET name = 'Tea' WHERE id = $group",
      ],
      [
        'UPDATE conversations SET created_at = created_at + 1 WHERE id = $group',
        'UPDATE conversations SET created_at = created_at - 1 WHERE id = $group',
      ],
    ])('when history has another content under the same version: %s', async (change, back) => {
      const db = new DatabaseSync(join(cluster.dir, 'history.db'), { timeout: 5000 });
      const run = (sql: string): void => {
        const statement = db.prepare(sql);
        statement.setAllowUnknownNamedParameters(true);
        expect(statement.run({ carol: names[2]!, group }).changes).toBe(1);
      };
      run(change);
      await unloader.walk();
      expect(await unloader.isUnloaded(group)).toBe(false);
      run(back);
      db.close();
      await unloader.walk();
      expect(await unloader.isUnloaded(group)).toBe(true);
    });
  });

  test('two compactors, and one that stopped in the middle, unload a conversation once', async () => {
    await sendMany(alice, names[1]!, 1, 'direct');
    await cluster.settled();
    const stopped = Promise.withResolvers<void>();
    const stopping: Pick<HistoryStore, 'blocksSince' | 'conversation'> = {
      ...unloader.store,
      conversation: (id) => {
        if (id === group) return unloader.store.conversation(id);
        stopped.resolve();
        return new Promise(() => undefined);
      },
    };
    void unloader.walk(stopping);
    await stopped.promise;
    await Promise.all([unloader.walk(), unloader.walk()]);
    expect(await unloader.isUnloaded(group)).toBe(true);
    expect(await unloader.unloaded()).toBe(2);
    expect([(await next()).seq, await members()]).toEqual([4, names.map((user) => ({ user, joinedSeq: 0 }))]);
  });

  test('one that cannot be read does not keep the others', async () => {
    await sendMany(alice, names[1]!, 1, 'direct');
    await cluster.settled();
    await unloader.walk({
      ...unloader.store,
      conversation: (id) =>
        id === group ? unloader.store.conversation(id) : Promise.reject(new Error('cannot be read')),
    });
    expect([await unloader.isUnloaded(group), await unloader.unloaded()]).toEqual([true, 1]);
  });

  test('a process that loads with a state of history older than the mark reads history again', async () => {
    await unloader.walk();
    const { redis, keys } = cluster;
    const meanwhile = async (): Promise<void> => {
      expect((await next()).seq).toBe(4);
      expect((await http('DELETE', `${path}/members/${names[2]}`)).status).toBe(204);
      await cluster.settled();
      await unloader.walk();
      expect(await unloader.isUnloaded(group)).toBe(true);
    };
    let reads = 0;
    const history: HistoryStore = interrupted(meanwhile);
    const counted: HistoryStore = { ...history, conversation: (id) => (reads++, history.conversation(id)) };
    const loading = createLoading(counted, { isOpen: true, current: alice.welcome }, async () => undefined);
    const conversations = createConversations(
      redis,
      keys,
      { mostInInboxes: 500, mostUnsettled: 1000 },
      { load: (id) => loading.conversation(conversations, id), closed: () => undefined, seen: () => undefined },
    );
    const live = await conversations.read(group);
    expect([live.lastSeq, live.skips, reads]).toEqual([5, [], 2]);
    expect((await conversations.members(group)).spans.get(names[2]!)).toEqual([{ joined: 0, left: 5 }]);
    expect((await next()).seq).toBe(6);
  });

  test('a conversation that is unloaded again before it is asked is loaded again', async () => {
    await unloader.walk();
    const loading = createLoading(unloader.store, { isOpen: true, current: alice.welcome }, async () => undefined);
    let unloads = 2;
    const conversations = createConversations(
      cluster.redis,
      cluster.keys,
      { mostInInboxes: 500, mostUnsettled: 1000 },
      {
        async load(id) {
          const found = await loading.conversation(conversations, id);
          if (unloads-- > 0) await unloader.walk();
          return found;
        },
        closed: () => undefined,
        seen: () => undefined,
      },
    );
    expect((await conversations.read(group)).lastSeq).toBe(3);
    unloads = Infinity;
    await unloader.walk();
    await expect(conversations.read(group)).rejects.toMatchObject({ code: 'retry_later' });
  });

  describe('a mark that history does not agree with', () => {
    test('history has less: it was restored from a backup', async () => {
      await unloader.walk();
      await cluster.redis.hset(cluster.keys.conversation(cluster.keys.partitionOf(group), group), 'seq', 7);
      const { seq } = await next();
      expect(seq).toBe(7 + lossJump + 1);
      await cluster.settled();
      expect(await whole()).toEqual({ seqs: [1, 2, 3, seq], absent: [{ fromSeq: 4, toSeq: seq - 1 }] });
      expect(await members()).toHaveLength(3);
    });

    test('history has more', async () => {
      await unloader.walk();
      await cluster.redis.hset(cluster.keys.conversation(cluster.keys.partitionOf(group), group), 'seq', 2);
      await jumpsAbove(3);
    });
  });
});

describe('a mark that history does not agree with, after a loss', () => {
  beforeEach(async () => {
    cluster = await startCluster();
    await prepare();
  });
  afterEach(async () => {
    await unloader.close();
    await cluster.stop();
  });

  test('after a loss of Redis, marks included', async () => {
    await unloader.walk();
    await cluster.end('web');
    await cluster.wipe();
    await cluster.start('web');
    await jumpsAbove(3, await cluster.connect(names[0]!));
  });

  test('Redis comes back with a mark, and less than history: the mark is of another epoch', async () => {
    await unloader.walk();
    const restore = await snapshot(cluster);
    await sendMany(alice, { conversation: group }, 2, 'after');
    await cluster.settled();
    for (const line of ['web', 'fanout', 'archive']) await cluster.end(line);
    await restore();
    expect(await unloader.isUnloaded(group)).toBe(true);
    await Promise.all(['web', 'fanout', 'archive'].map((line) => cluster.start(line)));
    await jumpsAbove(5, await cluster.connect(names[0]!));
  });

  test('after a change of epoch a seq may have been given that is neither in history nor in the mark', async () => {
    await unloader.walk();
    await sendMany(alice, names[1]!, 1, 'direct');
    await cluster.settled();
    for (const line of ['web', 'fanout', 'archive']) await cluster.end(line);
    const { redis, keys } = cluster;
    await redis.del(...numbers(0, keys.partitions).map((partition) => keys.messages(partition)));
    await Promise.all(['web', 'fanout', 'archive'].map((line) => cluster.start(line)));
    expect(await unloader.held(group)).toMatchObject({ epoch: `unloaded:${alice.welcome.epoch}:1`, seq: '3' });
    const again = await cluster.connect(names[0]!);
    expect(again.welcome.epoch).not.toBe(alice.welcome.epoch);
    await jumpsAbove(3, again);
    // In the new epoch it is unloaded and loaded like any other, its skip with it.
    const before = await whole(again);
    await unloader.walk();
    expect(await unloader.held(group)).toMatchObject({ epoch: `unloaded:${again.welcome.epoch}:1000001` });
    expect(await whole(again)).toEqual(before);
    expect((await next(again)).seq).toBe(before.seqs.at(-1)! + 1);
  });
});
