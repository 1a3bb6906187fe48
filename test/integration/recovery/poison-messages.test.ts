import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { createDeadLetters, type DeadLetters } from '../../../shared/redis/dead-letters.ts';
import { createPoisonSearch } from '../../../workers/stream/poison-search.ts';
import { edit, groupOf, readAll, recall, say } from '../../support/amending.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { numbers, sendMany } from '../../support/sending.ts';

/** Entries that cannot be handled: isolated, kept as dead letters and settled, with their neighbours untouched. */

let cluster: Cluster;
let deadLetters: DeadLetters;
beforeEach(async () => {
  cluster = await startCluster({ jobs: false });
  deadLetters = createDeadLetters(cluster.redis, cluster.keys);
});
afterEach(() => cluster.stop());

test('an entry that the fanout stumbles over becomes a gap; others go on in order, and history has it', async () => {
  const [alice, carol] = await Promise.all([cluster.connect('alice'), cluster.connect('carol')]);
  const aliceTab = await cluster.connect('alice', { device: 'tab' });
  // Bob's inbox is a key of another type: nothing can be appended to it, until somebody mends it.
  await cluster.redis.set(cluster.keys.inbox('bob'), 'not a stream');
  const poison = await alice.request({ type: 'send', clientId: 'p', to: 'bob', kind: 'text', body: 'p' }, 'accepted');
  await sendMany(alice, { to: 'carol' }, 20);
  await cluster.settled();
  // Who had got it before it became poison has it, and no gap.
  await aliceTab.until('her own', () => aliceTab.items.some(({ message }) => message.id === poison.message.id));
  expect(aliceTab.gaps).toEqual([]);
  const pong = await aliceTab.request({ type: 'ping' }, 'pong');
  expect(pong.head).toBe(aliceTab.items.at(-1)!.position);
  await cluster.redis.del(cluster.keys.inbox('bob'));
  const bob = await cluster.connect('bob');
  expect(await bob.find('gap')).toMatchObject({ conversation: poison.message.conversation, fromSeq: 1, toSeq: 1 });
  await carol.until('all of it', () => carol.items.length === 20);
  expect(carol.items.map(({ message }) => message.seq)).toEqual(numbers(1, 20));

  const { deadLetters: letters } = await deadLetters.list({ reason: 'poison', limit: 10 });
  expect(letters).toMatchObject([
    {
      reason: 'poison',
      attempts: 5,
      error: expect.stringContaining('WRONGTYPE'),
      subject: { group: 'inbox', conversation: poison.message.conversation, seq: 1 },
    },
  ]);
  const history = await bob.request({ type: 'history', to: 'alice' }, 'history');
  expect(history.messages.map(({ id }) => id)).toEqual([poison.message.id]);
});

test('an amendment that the fanout stumbles over becomes a gap, and the old body is not served again', async () => {
  const [alice, carol] = await Promise.all([cluster.connect('alice'), cluster.connect('carol')]);
  const group = { conversation: await groupOf(cluster, 'alice', 'bob', 'carol') };
  const seq = await say(alice, group, 'a secret');
  await cluster.settled();
  // Bob's inbox is a key of another type for as long as the amendment is tried.
  const { redis, keys } = cluster;
  await redis.rename(keys.inbox('bob'), keys.gaps('kept'));
  await redis.set(keys.inbox('bob'), 'not a stream');
  const { amendSeq } = await recall(alice, group, seq);
  await cluster.settled();
  await redis.del(keys.inbox('bob'));
  await redis.rename(keys.gaps('kept'), keys.inbox('bob'));
  const { deadLetters: letters } = await deadLetters.list({ reason: 'poison', limit: 10 });
  expect(letters).toMatchObject([{ subject: { group: 'inbox', seq: amendSeq, amends: seq } }]);

  const bob = await cluster.connect('bob');
  await bob.until('the message', () => bob.items.length === 1);
  bob.send({ type: 'received', position: 1 });
  await bob.find('gap');
  expect(bob.gaps).toMatchObject([{ ...group, fromSeq: amendSeq, toSeq: amendSeq }]);
  expect(bob.items[0]!.message).toMatchObject({ seq, body: null, amended: { action: 'withheld' } });
  expect(JSON.stringify(bob.frames)).not.toContain('a secret');
  // History has both.
  expect((await readAll(bob, group))[0]).toMatchObject({ body: null, amended: { action: 'recall', amendSeq } });
  // Another amendment takes the place of what was withheld.
  await carol.until('the message', () => carol.items.length >= 1);
  const other = await say(carol, group, 'next');
  await edit(carol, group, other, 'edited');
  await bob.until('the edit', () => bob.items.length === 3);
  expect(bob.items.at(-1)!.message.body).toMatchObject({ seq: other, body: 'edited' });
});

test('an entry that the archive stumbles over leaves a slot without a body, and the rest is stored', async () => {
  const [alice, bob] = await Promise.all([cluster.connect('alice'), cluster.connect('bob')]);
  await sendMany(alice, { to: 'bob' }, 2);
  const { conversation } = alice.all('accepted')[0]!.message;
  await cluster.settled();
  const partition = cluster.keys.partitionOf(conversation);
  // A change of membership without its spans, which only the archive reads.
  const tail = '"sender":"alice","clientId":"x","kind":"text","body":1,"class":"normal"}';
  await cluster.redis.hset(cluster.keys.conversation(partition, conversation), 'seq', 3, 'prev', 3);
  const id = await cluster.redis.xadd(
    cluster.keys.messages(partition),
    '*',
    'r',
    `1 message ${conversation} 3 2 1 alice - normal alice,bob dora`,
    't',
    tail,
  );
  await sendMany(alice, { to: 'bob' }, 2, 'after');
  await cluster.settled();

  const { deadLetters: letters } = await deadLetters.list({ limit: 10 });
  expect(letters).toMatchObject([
    { id: `history-${partition}-${id}`, reason: 'poison', subject: { group: 'history', seq: 3 } },
  ]);
  await cluster.redis.xtrim(cluster.keys.messages(partition), 'MAXLEN', 0);
  const page = await bob.request({ type: 'history', conversation, after: 0 }, 'history');
  expect(page.messages.map(({ seq }) => seq)).toEqual([1, 2, 4, 5]);
  expect(page.absent).toEqual([{ fromSeq: 3, toSeq: 3 }]);

  // Replayed, twice at once and once more: the slot is filled, once.
  await cluster.start('jobs');
  const env = { ...process.env, REDIS_URL: inject('redisUrl'), KEY_PREFIX: cluster.prefix };
  const replay = async (...args: string[]) =>
    (await promisify(execFile)(process.execPath, ['cli/main.ts', 'replay', ...args], { env })).stdout;
  expect(await replay('--reason', 'poison', '--dry-run')).toContain(letters[0]!.id);
  await Promise.all([replay(letters[0]!.id), replay('--reason', 'poison')]);
  await vi.waitFor(async () => expect((await deadLetters.list({ limit: 1 })).deadLetters).toEqual([]), {
    timeout: 10_000,
  });
  expect((await deadLetters.find(letters[0]!.id))?.replayed?.effect).toBe('written to history');
  expect(await replay(letters[0]!.id)).toContain('1 replayed before');
  const filled = await bob.request({ type: 'history', conversation, after: 0 }, 'history');
  expect(filled.messages.map(({ seq, id: messageId }) => [seq, messageId])[2]).toEqual([3, `${partition}-${id}`]);
  expect(filled.absent).toEqual([]);
});

describe('a process that dies of an entry', () => {
  test('is counted by the next one, until the entry stands alone and is poison', async () => {
    const next = () => createPoisonSearch(cluster.redis, cluster.keys, 'history', 0, 8).begin('1-0');
    const sizes: number[] = [];
    do sizes.push(await next());
    while (sizes.at(-1) !== 0);
    expect(sizes).toEqual([8, 8, 4, 4, 2, 2, 1, 1, 1, 1, 1, 0]);
  });

  test('what fails for another reason never counts', async () => {
    const search = createPoisonSearch(cluster.redis, cluster.keys, 'history', 0, 1);
    for (let i = 0; i < 50; i++) {
      expect(await search.begin('1-0')).toBe(1);
      await search.failed(false);
    }
  });
});
