import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import type { Device } from '../../support/device.ts';
import { sendToBob } from '../../support/inbox.ts';
import { numbers, sendMany } from '../../support/sending.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ env: { INBOX_MAX_ENTRIES: '100' } });
});
afterAll(() => cluster.stop());

const down = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from - i);

/** Seqs of a page, `more`, and what is absent. */
async function read(device: Device, ask: object): Promise<{ seqs: number[]; more: boolean; absent: unknown[] }> {
  const { messages, more, absent } = await device.request({ type: 'history', ...ask }, 'history');
  return { seqs: messages.map(({ seq }) => seq), more, absent };
}

describe.each(['not archived yet', 'archived'])('history that is %s', (state) => {
  let alice: Welcomed;
  let bob: string;
  let conversation: string;
  beforeAll(async () => {
    if (state === 'archived') await cluster.start('archive');
    else await cluster.end('archive');
    ({ alice, bob, conversation } = await sendToBob(cluster, 250));
    if (state === 'archived') await cluster.settled('history');
  });

  test('newest first, 20 without a limit', async () => {
    expect(await read(alice, { conversation })).toEqual({ seqs: down(250, 20), more: true, absent: [] });
  });

  test('`before` and `after` are exclusive; with `after` oldest first', async () => {
    expect(await read(alice, { conversation, before: 100, limit: 3 })).toEqual({
      seqs: [99, 98, 97],
      more: true,
      absent: [],
    });
    expect(await read(alice, { conversation, after: 100, limit: 3 })).toEqual({
      seqs: [101, 102, 103],
      more: true,
      absent: [],
    });
    expect(await read(alice, { conversation, after: 0, limit: 2 })).toEqual({ seqs: [1, 2], more: true, absent: [] });
  });

  test.each<[object, number[], boolean]>([
    [{ before: 3 }, [2, 1], false],
    [{ before: 3, limit: 2 }, [2, 1], false],
    [{ before: 4, limit: 2 }, [3, 2], true],
    [{ before: 1 }, [], false],
    [{ before: 0 }, [], false],
    [{ before: 1_000_000, limit: 1 }, [250], true],
    [{ after: 248 }, [249, 250], false],
    [{ after: 247, limit: 2 }, [248, 249], true],
    [{ after: 250 }, [], false],
    [{ after: 1_000_000 }, [], false],
    [{ limit: 100 }, down(250, 100), true],
  ])('%j', async (ask, seqs, more) => {
    expect(await read(alice, { conversation, ...ask })).toEqual({ seqs, more, absent: [] });
  });

  test('pages of both directions make the whole', async () => {
    const newest: number[] = [];
    for (let before: number | undefined; ; before = newest.at(-1)) {
      const page = await read(alice, { conversation, limit: 70, ...(before === undefined ? {} : { before }) });
      newest.push(...page.seqs);
      if (!page.more) break;
    }
    expect(newest).toEqual(down(250, 250));
    const oldest: number[] = [];
    for (let after = 0; ; after = oldest.at(-1)!) {
      const page = await read(alice, { to: bob, limit: 70, after });
      oldest.push(...page.seqs);
      if (!page.more) break;
    }
    expect(oldest).toEqual(numbers(1, 250));
  });

  test('the message is the one that was accepted', async () => {
    const { messages } = await alice.request({ type: 'history', conversation, limit: 1 }, 'history');
    expect(messages).toEqual([
      {
        ...alice.all('accepted').at(-1)!.message,
        sender: alice.welcome.user,
        clientId: 'm-249',
        kind: 'text',
        body: 249,
        class: 'normal',
      },
    ]);
  });

  test('both sides of a conversation read the same pages', async () => {
    const other = await cluster.connect(bob);
    expect(await read(other, { to: alice.welcome.user, limit: 5 })).toEqual({
      seqs: down(250, 5),
      more: true,
      absent: [],
    });
  });
});

test('a message is in history as soon as it is accepted', async () => {
  const [alice, bob] = [await cluster.connect(cluster.user('alice')), cluster.user('bob')];
  for (let i = 0; i < 50; i++) {
    const { message } = await alice.request(
      { type: 'send', clientId: `m-${i}`, to: bob, kind: 'text', body: i },
      'accepted',
    );
    expect((await read(alice, { to: bob, limit: 1 })).seqs).toEqual([message.seq]);
  }
});

test('pages are dense from the newest down while messages come and are archived', async () => {
  const [alice, bob] = [
    await cluster.connect(cluster.user('alice')),
    await cluster.connect(cluster.user('bob'), { mode: 'pull' }),
  ];
  let sending = true;
  const all = (async () => {
    for (let i = 0; i < 40; i++) await sendMany(alice, bob.welcome.user, 50, `m${i}`);
  })().finally(() => (sending = false));
  let least = 0;
  let pages = 0;
  while (sending) {
    const [known] = alice.all('accepted').slice(-1);
    const { seqs, more } = await read(bob, { to: alice.welcome.user, limit: 100 });
    pages += 1;
    expect(seqs[0] ?? 0).toBeGreaterThanOrEqual(known?.message.seq ?? 0);
    expect(seqs).toEqual(down(seqs[0] ?? 0, seqs.length));
    expect(more).toBe(seqs.length === 100 && seqs.at(-1) !== 1);
    least = Math.max(least, seqs[0] ?? 0);
    const middle = await read(bob, { to: alice.welcome.user, after: Math.max(0, least - 60), limit: 50 });
    if (least > 0) expect(middle.seqs.slice(0, 50)).toEqual(numbers(Math.max(0, least - 60) + 1, middle.seqs.length));
  }
  await all;
  expect(pages).toBeGreaterThan(5);
  expect((await read(bob, { to: alice.welcome.user, limit: 1 })).seqs).toEqual([2000]);
});

test('before its first use a direct conversation reads as empty, under the id that it will have', async () => {
  const [alice, bob] = [await cluster.connect(cluster.user('alice')), cluster.user('bob')];
  const unused = await alice.request({ type: 'history', to: bob }, 'history');
  expect(unused).toMatchObject({ messages: [], more: false, absent: [] });
  await sendMany(alice, bob, 1);
  expect(alice.all('accepted')[0]!.message.conversation).toBe(unused.conversation);
});

test('a user who is not a member gets the same answer as for a conversation that does not exist', async () => {
  const { conversation } = await sendToBob(cluster, 3);
  const mallory = await cluster.connect(cluster.user('mallory'));
  const { re: _, ...foreign } = await mallory.request({ type: 'history', conversation }, 'error');
  const { re: __, ...unknown } = await mallory.request({ type: 'history', conversation: 'nothing' }, 'error');
  expect(foreign).toMatchObject({ code: 'not_found', retryable: false });
  expect(foreign).toEqual(unknown);
});

test.each([
  [{}],
  [{ conversation: 'c', to: 'bob' }],
  [{ to: 'bob', before: 1, after: 1 }],
  [{ to: 'bob', limit: 0 }],
  [{ to: 'bob', limit: 101 }],
  [{ to: 'bob', limit: -1 }],
  [{ to: 'bob', limit: 1.5 }],
  [{ to: 'bob', limit: '5' }],
  [{ to: 'bob', before: -1 }],
  [{ to: 'bob', after: 0.5 }],
  [{ to: 'bob', after: null }],
  [{ to: 'b}' }],
  [{ conversation: '*' }],
])('%j is bad_request', async (ask) => {
  const alice = await cluster.connect(cluster.user('alice'));
  expect(await alice.request({ type: 'history', ...ask }, 'error')).toMatchObject({
    code: 'bad_request',
    retryable: false,
  });
});

test('what was cut from the inbox stays in history', async () => {
  const { alice, bob } = await sendToBob(cluster, 300);
  await cluster.settled();
  const device = await cluster.connect(bob);
  const gap = await device.find('gap');
  expect(gap.fromSeq).toBe(1);
  expect((await read(device, { to: alice.welcome.user, after: 0, limit: 5 })).seqs).toEqual([1, 2, 3, 4, 5]);
});
