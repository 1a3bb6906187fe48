import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { connectPair, sendTo } from '../../support/pair.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2 });
});
afterAll(() => cluster.stop());

const pair = () => connectPair(cluster);

describe('accepted', () => {
  test('names the message, and the recipient sees it with the same names', async () => {
    const { alice, bob } = await pair();
    const before = Date.now();
    const accepted = await alice.request(
      sendTo(bob.welcome.user, 'c-1', { text: 'hi' }, { class: 'important' }),
      'accepted',
    );
    expect(accepted).toEqual({
      type: 'accepted',
      re: expect.any(String),
      clientId: 'c-1',
      message: {
        id: expect.stringMatching(/./),
        conversation: expect.stringMatching(/^d_/),
        seq: 1,
        at: expect.any(Number),
      },
      level: 'accepted',
    });
    expect(accepted.message.at).toBeGreaterThanOrEqual(before - 1000);
    expect(accepted.message.at).toBeLessThanOrEqual(Date.now() + 1000);

    await bob.find('deliver');
    expect(bob.items).toEqual([
      {
        position: 1,
        message: {
          ...accepted.message,
          sender: alice.welcome.user,
          clientId: 'c-1',
          kind: 'text',
          body: { text: 'hi' },
          class: 'important',
        },
      },
    ]);
  });

  test('a direct conversation is the same from both sides, by `to` and by `conversation`', async () => {
    const { alice, bob } = await pair();
    const first = await alice.request(sendTo(bob.welcome.user, 'a', 1), 'accepted');
    const { conversation } = first.message;
    const answers = [
      await bob.request(sendTo(alice.welcome.user, 'a', 2), 'accepted'),
      await bob.request({ type: 'send', clientId: 'b', conversation, kind: 'text', body: 3 }, 'accepted'),
      await alice.request({ type: 'send', clientId: 'b', conversation, kind: 'text', body: 4 }, 'accepted'),
    ];
    expect(answers.map(({ message }) => [message.conversation, message.seq])).toEqual([
      [conversation, 2],
      [conversation, 3],
      [conversation, 4],
    ]);
    expect(new Set([first, ...answers].map(({ message }) => message.id)).size).toBe(4);
  });

  test('first sends from both sides at once meet in one conversation', async () => {
    const { alice, bob } = await pair();
    const answers = await Promise.all([
      alice.request(sendTo(bob.welcome.user, 'a', 1), 'accepted'),
      bob.request(sendTo(alice.welcome.user, 'b', 2), 'accepted'),
    ]);
    expect(new Set(answers.map(({ message }) => message.conversation)).size).toBe(1);
    expect(answers.map(({ message }) => message.seq).sort()).toEqual([1, 2]);
  });

  test('to oneself is allowed', async () => {
    const user = cluster.user('alice');
    const [phone, tablet] = [await cluster.connect(user), await cluster.connect(user, { device: 'tablet' })];
    const { message } = await phone.request(sendTo(user, 'a', 'note'), 'accepted');
    await tablet.find('deliver');
    expect(tablet.items).toMatchObject([{ position: 1, message: { ...message, sender: user, body: 'note' } }]);
  });

  test('a user who has never connected can be written to', async () => {
    const alice = await cluster.connect(cluster.user('alice'));
    const later = cluster.user('later');
    const { message } = await alice.request(sendTo(later, 'a', 'hello'), 'accepted');
    const device = await cluster.connect(later);
    await device.find('deliver');
    expect(device.items).toMatchObject([{ position: 1, message }]);
  });

  test('the sender is who the token names, whatever the frame says', async () => {
    const { alice, bob } = await pair();
    await alice.request(
      sendTo(bob.welcome.user, 'a', 1, { sender: 'mallory', from: 'mallory', user: 'mallory', seq: 99, id: 'x' }),
      'accepted',
    );
    await bob.find('deliver');
    expect(bob.items[0]!.message).toMatchObject({ sender: alice.welcome.user, seq: 1 });
  });
});

describe('neither or both of `to` and `conversation`', () => {
  test.each([{}, { to: 'bob', conversation: 'c' }])('%j: bad_request', async (target) => {
    const alice = await cluster.connect(cluster.user('alice'));
    const refused = await alice.request({ type: 'send', clientId: 'a', kind: 'text', body: 1, ...target }, 'error');
    expect(refused).toMatchObject({ code: 'bad_request', clientId: 'a', retryable: false });
  });
});

describe('dedupe', () => {
  test('a repeated send gets the same answer with `duplicate`, at any gateway and in any spelling', async () => {
    const { alice, bob } = await pair();
    const other = await cluster.connect(alice.welcome.user, { device: 'tablet', gateway: 2 });
    const first = await alice.request(sendTo(bob.welcome.user, 'same', { text: 'é', n: 1 }), 'accepted');
    const again = await other.request(
      sendTo(bob.welcome.user, 'same', { text: 'é', n: 1 }, { class: 'normal' }),
      'accepted',
    );
    expect(first.duplicate).toBeUndefined();
    expect(again).toMatchObject({ clientId: 'same', message: first.message, duplicate: true });

    other.sendText(
      `{ "type":"send", "id":"spelled", "clientId":"same", "to":"${bob.welcome.user}", "kind":"text", ` +
        `"body": {"text":"\\u00e9", "n":1.0} }`,
    );
    expect(await other.find('accepted', ({ re }) => re === 'spelled')).toMatchObject({
      message: first.message,
      duplicate: true,
    });

    await alice.request(sendTo(bob.welcome.user, 'last', 'end'), 'accepted');
    await bob.until('the last message', () => bob.bodies.includes('end'));
    expect(bob.items.map(({ message }) => [message.seq, message.clientId])).toEqual([
      [1, 'same'],
      [2, 'last'],
    ]);
  });

  test.each([
    ['body', { body: 'other' }],
    ['kind', { kind: 'other' }],
    ['class', { class: 'important' }],
    ['body null', { body: null }],
  ])('another %s is a conflict', async (_, other) => {
    const alice = await cluster.connect(cluster.user('alice'));
    const to = cluster.user('bob');
    const first = await alice.request(sendTo(to, 'same', 'body'), 'accepted');
    expect(await alice.request({ ...sendTo(to, 'same', 'body'), ...other }, 'error')).toMatchObject({
      code: 'conflict',
      clientId: 'same',
      retryable: false,
    });
    expect(await alice.request(sendTo(to, 'same', 'body'), 'accepted')).toMatchObject({
      message: first.message,
      duplicate: true,
    });
    expect((await alice.request(sendTo(to, 'next', 'body'), 'accepted')).message.seq).toBe(2);
  });

  test('the same clientId in another conversation, or of another sender, is another message', async () => {
    const { alice, bob } = await pair();
    const one = await alice.request(sendTo(bob.welcome.user, 'same', 'x'), 'accepted');
    const two = await alice.request(sendTo(cluster.user('carol'), 'same', 'x'), 'accepted');
    const three = await bob.request(sendTo(alice.welcome.user, 'same', 'x'), 'accepted');
    expect([one, two, three].map(({ duplicate }) => duplicate)).toEqual([undefined, undefined, undefined]);
    expect([one, two, three].map(({ message }) => message.seq)).toEqual([1, 1, 2]);
    expect(new Set([one, two, three].map(({ message }) => message.id)).size).toBe(3);
  });

  test('a clientId whose UUIDv7 time is long ago is looked for in history, and accepted once', async () => {
    const alice = await cluster.connect(cluster.user('alice'));
    const to = cluster.user('bob');
    const old = (Date.now() - 30 * 86_400_000).toString(16).padStart(12, '0');
    const clientId = `${old.slice(0, 8)}-${old.slice(8)}-7abc-8def-0123456789ab`;
    const first = await alice.request(sendTo(to, clientId, 'old'), 'accepted');
    const again = await alice.request(sendTo(to, clientId, 'old'), 'accepted');
    expect(first).toMatchObject({ message: { seq: 1 } });
    expect(again).toMatchObject({ message: first.message, duplicate: true });
  });

  test('sent 100 times over 5 sockets and 2 gateways it is one message with one answer', async () => {
    const user = cluster.user('alice');
    const bob = await cluster.connect(cluster.user('bob'));
    const devices = await Promise.all(
      [1, 2, 3, 4, 5].map((n) => cluster.connect(user, { device: `device-${n}`, gateway: (n % 2) + 1 })),
    );
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        devices[i % 5]!.request(sendTo(bob.welcome.user, 'same', 'once'), 'accepted'),
      ),
    );
    expect(new Set(answers.map(({ message }) => JSON.stringify(message))).size).toBe(1);
    expect(answers[0]!.message.seq).toBe(1);
    expect(answers.filter(({ duplicate }) => duplicate === undefined)).toHaveLength(1);

    await devices[0]!.request(sendTo(bob.welcome.user, 'end', 'end'), 'accepted');
    await bob.until('the end', () => bob.bodies.includes('end'));
    expect(bob.bodies).toEqual(['once', 'end']);
  });
});

describe('order', () => {
  test('pipelined sends are accepted in their order with dense seqs, a refused one stops nothing', async () => {
    const { alice, bob } = await pair();
    const to = bob.welcome.user;
    const wrong = new Set([3, 400]);
    for (let i = 0; i < 1000; i++) alice.send(sendTo(to, `c-${i}`, i, wrong.has(i) ? { kind: 'NOT A KIND' } : {}));
    await alice.until('1,000 answers', () => alice.frames.length >= 1001);

    const expected = Array.from({ length: 1000 }, (_, i) => i).filter((i) => !wrong.has(i));
    expect(alice.all('accepted').map(({ clientId }) => clientId)).toEqual(expected.map((i) => `c-${i}`));
    expect(alice.all('accepted').map(({ message }) => message.seq)).toEqual(expected.map((_, i) => i + 1));
    expect(alice.all('error').map(({ clientId }) => clientId)).toEqual(['c-3', 'c-400']);
    const ids = alice.all('accepted').map(({ message }) => message.id);
    expect(new Set(ids).size).toBe(ids.length);

    await bob.until('all messages', () => {
      bob.received(bob.items.at(-1)?.position ?? 0);
      return bob.items.length >= 998;
    });
    expect(bob.bodies).toEqual(expected);
  });

  test('5,000 pipelined sends are read more slowly, and none is refused', async () => {
    const alice = await cluster.connect(cluster.user('alice'));
    const to = cluster.user('bob');
    for (let i = 0; i < 5000; i++) alice.send(sendTo(to, `c-${i}`, i));
    await alice.until('5,000 answers', () => alice.frames.length >= 5001, 20_000);
    expect(alice.all('accepted').map(({ clientId, message }) => `${clientId} ${message.seq}`)).toEqual(
      Array.from({ length: 5000 }, (_, i) => `c-${i} ${i + 1}`),
    );
  });

  test('sends to many conversations keep each its order', async () => {
    const alice = await cluster.connect(cluster.user('alice'));
    const friends = Array.from({ length: 20 }, () => cluster.user('friend'));
    for (let i = 0; i < 400; i++) alice.send(sendTo(friends[i % 20]!, `c-${i}`, i));
    await alice.until('400 answers', () => alice.all('accepted').length === 400);
    const seqs = new Map(alice.all('accepted').map(({ clientId, message }) => [clientId, message.seq]));
    for (let i = 0; i < 400; i++) expect(seqs.get(`c-${i}`)).toBe(Math.floor(i / 20) + 1);
  });
});
