import { join } from 'node:path';
import { setInterval as ticks } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { sqlite } from '../../../sdk/src/storage/sqlite.ts';
import type { SeqRange } from '../../../sdk/src/wire.ts';
import { type ClientOnNetwork, openOnNetwork, synced } from '../../support/client-on-network.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { numbers, sendMany } from '../../support/sending.ts';

/** An inbox that was cut while a client was away: the client comes back to a gap, and people go on writing. */

const inboxEntries = 200;
/** 20 messages a second. */
const betweenMs = 50;
const before = 10;

let cluster: Cluster;
beforeEach(async () => {
  cluster = await startCluster({ env: { INBOX_MAX_ENTRIES: `${inboxEntries}` } });
});
afterEach(() => cluster.stop());

/** Writes one message after the other until it is ended, which resolves with how many there were. */
function keepWriting(writer: Welcomed, to: string): () => Promise<number> {
  const stop = new AbortController();
  let count = 0;
  const written = (async () => {
    for await (const _ of ticks(betweenMs, null, { signal: stop.signal }))
      writer.send({ type: 'send', clientId: `live-${count}`, to, kind: 'text', body: `live ${count++}` });
  })().catch(() => undefined);
  return async () => {
    stop.abort();
    await written;
    await writer.settle();
    return count;
  };
}

type Behind = ClientOnNetwork & {
  alice: Welcomed;
  /** Seqs in the order in which they were handed out live. */
  live: number[];
  gaps: SeqRange[];
};

/** Bob's client has an open conversation. It is away while `gap` messages more than an inbox holds come. */
async function behind(gap: number): Promise<Behind> {
  const [alice, bob] = [await cluster.connect(cluster.user('alice')), cluster.user('bob')];
  const opened = await openOnNetwork(cluster, bob, { storage: sqlite({ file: join(cluster.dir, 'bob.db') }) });
  const { client, proxy } = opened;
  const live: number[] = [];
  const gaps: SeqRange[] = [];
  client.on('message', ({ message, live: isLive }) => void (isLive && live.push(message.seq)));
  client.on('gap', ({ fromSeq, toSeq }) => gaps.push({ fromSeq, toSeq }));
  await client.connect();
  await synced(client);
  await sendMany(alice, bob, before, 'before');
  await vi.waitFor(() => expect(live).toEqual(numbers(1, before)), { timeout: 20_000 });
  client.direct(alice.welcome.user).open();
  proxy.refuse();
  for (let left = gap + inboxEntries, from = 0; left > 0; left -= 500, from++)
    await sendMany(alice, bob, Math.min(500, left), `missed-${from}`);
  await cluster.settled('inbox');
  return { ...opened, alice, live, gaps };
}

test('a gap of 300 in an open conversation is handed out in order before what is live', async () => {
  const { client, proxy, alice, live, gaps, faults } = await behind(300);
  const stop = keepWriting(alice, client.user!);
  proxy.pass();
  await vi.waitFor(() => expect(live.length).toBeGreaterThan(before + 300 + inboxEntries + 50), { timeout: 60_000 });
  const last = before + 300 + inboxEntries + (await stop());
  await vi.waitFor(() => expect(live.at(-1)).toBe(last), { timeout: 20_000 });
  expect(live).toEqual(numbers(1, last));
  expect(gaps).toEqual([]);
  expect(
    client
      .direct(alice.welcome.user)
      .messages.get()
      .items.filter((item) => 'hole' in item),
  ).toEqual([]);
  expect(faults).toEqual([]);
}, 180_000);

test('a gap of 3000 stands as one hole, and a stream gives everything in order', async () => {
  const { client, proxy, alice, live, gaps, faults } = await behind(3000);
  const conversation = client.direct(alice.welcome.user);
  const holes = () => conversation.messages.get().items.flatMap((item) => ('hole' in item ? [item.hole] : []));
  const stop = keepWriting(alice, client.user!);
  proxy.pass();
  await vi.waitFor(() => expect(live.length).toBeGreaterThan(before + inboxEntries + 50), { timeout: 60_000 });
  expect(gaps).toEqual([{ fromSeq: before + 1, toSeq: expect.any(Number) }]);
  const { fromSeq, toSeq } = gaps[0]!;
  expect(toSeq).toBeGreaterThanOrEqual(before + 3000);
  // Its end may have been read: somebody looks at it.
  expect(holes()).toEqual([{ fromSeq, toSeq: expect.any(Number) }]);

  // It catches up with what comes meanwhile.
  const streamed: number[] = [];
  for await (const { seq } of conversation.stream({ after: 0 })) {
    streamed.push(seq);
    if (seq > toSeq && seq === conversation.info.get().lastSeq) break;
  }
  const last = before + 3000 + inboxEntries + (await stop());
  expect(streamed).toEqual(numbers(1, streamed.length));
  await vi.waitFor(() => expect(live.at(-1)).toBe(last), { timeout: 20_000 });
  // What is handed out live rises, and leaves out the hole alone.
  expect(live).toEqual([...numbers(1, before), ...numbers(toSeq + 1, last - toSeq)]);
  expect(gaps).toHaveLength(1);
  expect(holes()).toEqual([]);
  expect(faults).toEqual([]);
}, 240_000);
