import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createWebhook } from '../../../workers/notifications/channels/webhook.ts';
import type { Digest } from '../../../workers/notifications/digest.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { waitsForNotification } from '../../support/inbox.ts';
import { sendMany } from '../../support/sending.ts';
import { type Call, type Receiver, startReceiver } from '../../support/webhook.ts';

type Verify = (headers: object, body: string, secrets: string[], nowMs?: number) => boolean;
const example = new URL('../../../examples/notify-receiver.mjs', import.meta.url).href;
const { verify, createReceiver } = (await import(example)) as {
  verify: Verify;
  createReceiver: (secrets: string[], take: (digest: unknown) => void) => Server;
};

const secrets = [randomBytes(24), randomBytes(32)].map((key) => `whsec_${key.toString('base64')}`);
const afterMs = 2000;

/** Bytes of the endless answer that the socket took, and whether the reader broke it off. */
const endless = { bytes: 0, closed: false };

function answerEndlessly(response: ServerResponse): void {
  const chunk = Buffer.alloc(65_536, 120);
  const left = 10 * 2 ** 30;
  response.writeHead(200, { 'content-length': left });
  response.on('close', () => {
    endless.closed = true;
  });
  const go = (): void => {
    while (endless.bytes < left && !response.destroyed) {
      endless.bytes += chunk.length;
      if (!response.write(chunk)) {
        response.once('drain', go);
        return;
      }
    }
  };
  go();
}

/** The receiver's answer is in the user's name. */
function answer({ user }: Call, response: ServerResponse, nth: number): void {
  if (user.startsWith('flaky') && nth === 1) response.writeHead(500).end();
  else if (user.startsWith('moved') && nth === 1) response.writeHead(307, { location: '/elsewhere' }).end();
  else if (user.startsWith('endless')) answerEndlessly(response);
  else if (!user.startsWith('hanging') || nth > 1) response.writeHead(204).end();
}

let cluster: Cluster;
let receiver: Receiver;
let alice: Welcomed;
beforeAll(async () => {
  receiver = await startReceiver(answer);
  cluster = await startCluster({
    jobs: true,
    // `jobs` alone knows whom to call, and the others hear from it.
    envOf: {
      jobs: {
        NOTIFY_URL: `${receiver.url}/hook`,
        NOTIFY_SECRET: secrets.join(','),
        NOTIFY_AFTER_MS: String(afterMs),
        NOTIFY_WINDOW_MS: '40000',
      },
    },
  });
  alice = await cluster.connect(cluster.user('alice'));
  await Promise.all([isHeard('short'), isHeard('x'.repeat(10_000))]);
});
afterAll(async () => {
  await cluster.stop();
  await receiver.stop();
});

const write = (to: string, body: unknown = 'hello') =>
  alice.request({ type: 'send', clientId: randomBytes(8).toString('hex'), to, kind: 'text', body }, 'accepted');

/** Resolves once a text like this is noted for notification: by the gateway if it is short, otherwise by the fanout. */
const isHeard = (body: string): Promise<void> =>
  vi.waitFor(
    async () => {
      const user = cluster.user('first');
      await write(user, body);
      await cluster.settled('inbox');
      expect(await waitsForNotification(cluster, user)).toBe(true);
    },
    { timeout: 10_000, interval: 100 },
  );

/** Resolves when the user was put down, looked at when due, and found in need of nothing. */
async function settledQuietly(user: string): Promise<void> {
  await vi.waitFor(async () => expect(await waitsForNotification(cluster, user)).toBe(false), {
    timeout: 10_000,
    interval: 50,
  });
  expect(receiver.callsFor(user)).toEqual([]);
}

const completed = (id: string): Promise<void> =>
  vi.waitFor(
    async () =>
      expect(await cluster.redis.zscore(`${cluster.keys.queuePrefix('notify')}:notify:completed`, id)).not.toBeNull(),
    {
      timeout: 15_000,
      interval: 50,
    },
  );

test.concurrent(
  'an offline user gets one signed digest under 10,000 messages, its sender none',
  { timeout: 60_000 },
  async () => {
    const [sender, bob, later] = [
      await cluster.connect(cluster.user('writer')),
      cluster.user('bob'),
      cluster.user('later'),
    ];
    for (let i = 0; i < 5; i++) await sendMany(sender, bob, 2000, `part-${i}`, (n) => 2000 * i + n);
    await cluster.settled('inbox');
    const [call] = await receiver.called(bob, 1);
    // One who is written to after all that is notified after it: there were sweeps in between.
    await write(later);
    await receiver.called(later, 1);
    expect(receiver.callsFor(bob)).toHaveLength(1);
    expect(await waitsForNotification(cluster, sender.welcome.user)).toBe(false);

    const digest = JSON.parse(call!.body);
    const { messages } = await sender.request({ type: 'history', to: bob, limit: 1 }, 'history');
    expect(Object.keys(digest)).toEqual(['type', 'user', 'total', 'conversations', 'at']);
    expect(digest).toMatchObject({
      type: 'digest',
      user: bob,
      total: digest.conversations[0].unread,
      conversations: [
        {
          conversation: messages[0]!.conversation,
          last: { sender: sender.welcome.user, seq: digest.total, body: digest.total - 1 },
        },
      ],
    });

    expect(call!.headers['content-type']).toBe('application/json');
    for (const secret of secrets) expect(verify(call!.headers, call!.body, [secret])).toBe(true);
    expect(verify(call!.headers, call!.body, [`whsec_${randomBytes(24).toString('base64')}`])).toBe(false);
    expect(verify(call!.headers, call!.body.replace('digest', 'digesT'), secrets)).toBe(false);
    expect(verify({ ...call!.headers, 'webhook-id': 'other' }, call!.body, secrets)).toBe(false);
    const sentAt = Number(call!.headers['webhook-timestamp']) * 1000;
    expect(
      [-301, -299, 299, 301].map((seconds) => verify(call!.headers, call!.body, secrets, sentAt + seconds * 1000)),
    ).toEqual([false, true, true, false]);
  },
);

// Alone: both have to receive within `afterMs`, whatever the other tests ask of the machine.
test('quiet when a device received in time, online or by HTTP', async () => {
  const [online, polling] = [await cluster.connect(cluster.user('online')), cluster.user('polling')];
  await Promise.all([write(online.welcome.user), write(polling)]);
  await online.find('deliver');
  online.received(online.items[0]!.position);
  expect(await waitsForNotification(cluster, online.welcome.user)).toBe(true);
  await vi.waitFor(async () => expect(await waitsForNotification(cluster, polling)).toBe(true), {
    timeout: 5000,
    interval: 20,
  });
  const answered = await cluster.http(cluster.token(polling), 'POST', '/inbox/received', {
    device: 'phone',
    position: 1,
  });
  expect(answered.status).toBeLessThan(300);
  await Promise.all([settledQuietly(online.welcome.user), settledQuietly(polling)]);
});

test.concurrent('an open socket that never receives is notified', async () => {
  const silent = await cluster.connect(cluster.user('silent'));
  const { message } = await write(silent.welcome.user);
  await silent.find('deliver');
  const [call] = await receiver.called(silent.welcome.user, 1);
  expect(JSON.parse(call!.body)).toMatchObject({
    total: 1,
    conversations: [{ unread: 1, last: { id: message.id, body: 'hello' } }],
  });
  expect(Date.now() - message.at).toBeGreaterThanOrEqual(afterMs);
});

test.concurrent('a failed call is repeated under the same id, a redirect is a failure', async () => {
  const users = [cluster.user('flaky'), cluster.user('moved')];
  await Promise.all(users.map((user) => write(user)));
  for (const user of users) {
    const [first, second] = await receiver.called(user, 2);
    expect(second!.id).toBe(first!.id);
    expect(verify(second!.headers, second!.body, secrets)).toBe(true);
    await completed(second!.id);
    expect(receiver.callsFor(user)).toHaveLength(2);
  }
  expect(new Set(receiver.paths)).toEqual(new Set(['/hook']));
});

test.concurrent('a receiver that hangs is given up after 5 s and called again', { timeout: 40_000 }, async () => {
  const user = cluster.user('hanging');
  await write(user);
  await receiver.called(user, 1);
  const since = Date.now();
  const [first, second] = await receiver.called(user, 2);
  expect(Date.now() - since).toBeGreaterThan(4500);
  expect(second!.id).toBe(first!.id);
  await completed(first!.id);
});

test.concurrent('an answer of 10 GiB is broken off, and counts by its status', { timeout: 40_000 }, async () => {
  const user = cluster.user('endless');
  await write(user);
  const [call] = await receiver.called(user, 1);
  await completed(call!.id);
  await vi.waitFor(() => expect(endless.closed).toBe(true), { timeout: 15_000 });
  expect(endless.bytes).toBeLessThan(64 * 2 ** 20);
  expect(receiver.callsFor(user)).toHaveLength(1);
});

test('the example takes each digest once, and none that it cannot verify', async () => {
  const taken: unknown[] = [];
  const numbered = (n: number) => ({ n }) as unknown as Digest;
  const server = createReceiver([secrets[1]!], (digest) => taken.push(digest)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const webhook = createWebhook(address, secrets);
    await webhook.post('one', numbered(1));
    await webhook.post('one', numbered(1));
    await webhook.post('two', numbered(2));
    await expect(createWebhook(address, [secrets[0]!]).post('three', numbered(3))).rejects.toThrow(
      'the webhook answered 401',
    );
    await expect(createWebhook(address, []).post('four', numbered(4))).rejects.toThrow('the webhook answered 401');
    expect(taken).toEqual([{ n: 1 }, { n: 2 }]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
