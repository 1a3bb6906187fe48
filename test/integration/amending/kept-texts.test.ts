import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { createRecent } from '../../../shared/redis/conversations/recent.ts';
import { edit, readAll, recall, say } from '../../support/amending.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';

/** The newest texts that Redis keeps while somebody reads them, of a conversation in which messages are amended. */

let cluster: Cluster;
let alice: Welcomed;
beforeAll(async () => {
  cluster = await startCluster({ fanout: false });
  alice = await cluster.connect(cluster.user('alice'), { mode: 'pull' });
});
afterAll(() => cluster.stop());

let on: { conversation: string };
let key: string;
/** Ten messages, archived and kept. */
beforeEach(async () => {
  const to = { to: cluster.user('bob') };
  for (let i = 1; i <= 10; i++) await say(alice, to, `sent-${i}`);
  const { conversation } = await alice.request({ type: 'history', ...to, limit: 1 }, 'history');
  on = { conversation };
  key = cluster.keys.recent(cluster.keys.partitionOf(conversation), conversation);
  await cluster.settled('history');
  await readAll(alice, on);
  await vi.waitUntil(async () => (await held())['high'] === '10');
});

const held = (): Promise<Record<string, string>> => cluster.redis.hgetall(key);
const bodies = async (): Promise<unknown[]> => (await readAll(alice, on)).map(({ body }) => body);
const recent = () => createRecent(cluster.redis, cluster.keys);
const sent = (firstSeq: number, count: number) => ({
  conversation: on.conversation,
  firstSeq,
  texts: Array.from({ length: count }, (_, i) => `the text ${firstSeq + i} as it was sent`),
});

test('what was read before an amendment is not used, nor put back after it', async () => {
  await edit(alice, on, 5, 'edited');
  expect((await bodies())[4]).toBe('edited');
  await recent().fill(sent(1, 10), 0);
  // The archive drops what is kept when it comes to the amendment; the next reader keeps it again.
  await expect
    .poll(async () => {
      await bodies();
      return (await held())['amended'];
    })
    .toBe('11');
  expect((await held())['5']).toContain('edited');
  expect(JSON.stringify(await held())).not.toMatch(/sent-5|as it was sent/);
  await cluster.settled('history');
  await recall(alice, on, 5);
  expect((await bodies())[4]).toBeNull();
});

test('the archive continues what is kept above the newest amendment, and nothing below', async () => {
  await edit(alice, on, 5, 'edited');
  await cluster.settled('history');
  await bodies();
  await expect.poll(() => held()).toMatchObject({ high: '11', amended: '11' });
  await say(alice, on, 'later');
  await cluster.settled('history');
  expect(await held()).toMatchObject({ high: '12', amended: '11' });
  await recent().extend(cluster.keys.partitionOf(on.conversation), [sent(11, 3)]);
  expect(await held()).toEqual({});
});

test('a message that was amended before it was archived does not come back as it was sent', async () => {
  cluster.pause('archive-1');
  const seq = await say(alice, on, 'sent-11');
  await edit(alice, on, seq, 'edited');
  // Kept with the number of the amendment, without the message itself: the store does not have it yet.
  await cluster.redis.del(key);
  await bodies();
  await expect.poll(() => held()).toMatchObject({ high: '10', amended: '12' });
  cluster.resume('archive-1');
  await cluster.settled('history');
  expect((await bodies())[10]).toBe('edited');
  expect(JSON.stringify(await held())).not.toContain('sent-11');
  expect((await bodies())[10]).toBe('edited');
});

test('a conversation in which nothing was amended is kept as before', async () => {
  expect(Object.keys(await held()).sort()).toEqual(
    ['bytes', 'epoch', 'high', 'low', ...Array.from({ length: 10 }, (_, i) => String(i + 1))].sort(),
  );
  await say(alice, on, 'next');
  await cluster.settled('history');
  expect(await held()).toMatchObject({ low: '1', high: '11' });
});
