import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeEach, expect, inject, onTestFinished, test, vi } from 'vitest';
import { createFaults } from '../../../shared/process/faults.ts';
import { createMetrics } from '../../../shared/process/metrics.ts';
import { createConnections } from '../../../shared/redis/connection/connect.ts';
import { createDeadLetters } from '../../../shared/redis/dead-letters.ts';
import { appendToInboxes, type Role } from '../../../shared/redis/inboxes/inbox-appends.ts';
import { createWaiting } from '../../../shared/redis/inboxes/waiting.ts';
import { createKeys, type Keys } from '../../../shared/redis/keys.ts';
import { startNotifying } from '../../../workers/notifications/start.ts';
import type { WorkerParts } from '../../../workers/worker.ts';
import { waitsForNotification } from '../../support/inbox.ts';
import { openSlot } from '../../support/open-slot.ts';
import { connectRedis } from '../../support/redis-connection.ts';
import { type Receiver, startReceiver } from '../../support/webhook.ts';

const redis = connectRedis(inject('redisUrl'), { protocol: 2 });
afterAll(() => redis.disconnect());

let keys: Keys;
let status: number;
/** What happens before an answer. */
let before: () => Promise<unknown>;
let receiver: Receiver;
/** Ids of messages of which a notification has told: their entries must not be missing later. */
let shown: string[];
beforeEach(async () => {
  shown = [];
  keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 2);
  for (const shard of [0, 1]) await openSlot(redis, keys.shardSlot(shard));
  status = 204;
  before = async () => undefined;
  receiver = await startReceiver((_, response) => void before().then(() => response.writeHead(status).end()));
});
afterEach(() => receiver.stop());

/** Puts message `seq` of the conversation `c` into bob's inbox. */
async function append(
  seq: number,
  sender = 'alice',
  role: Role | 'missing' = 'member',
  mostEntries = 100,
  notifyAfterMs = 1,
): Promise<void> {
  const at = Date.now();
  const text =
    `{"id":"0-${at}-${seq}","conversation":"c","seq":${seq},"at":${at},"sender":"${sender}",` +
    `"clientId":"${seq}","kind":"text","body":${seq},"class":"normal"}`;
  const texts = [{ sender, device: '-', at, text }];
  const what = role === 'missing' ? { text: -1, role: 'member' as const } : { text: 0, role };
  const appends = [{ ...what, seq, prev: seq - 1, joined: 0, mark: '' as const }];
  await appendToInboxes(
    redis,
    keys,
    mostEntries,
    texts,
    [{ user: 'bob', conversation: 'c', appends }],
    false,
    notifyAfterMs,
  );
}

const receive = (position: number) => redis.hset(keys.devices('bob'), 'phone', `${position} ${Date.now()}`);
const isWaiting = (): Promise<boolean> => waitsForNotification({ redis, keys }, 'bob');
const forgotten = () =>
  vi.waitFor(async () => expect(await isWaiting()).toBe(false), { timeout: 10_000, interval: 20 });

/** The jobs process' part, with retries after some ms. */
function start(windowMs: number): { metrics: WorkerParts['metrics']; deadLetters: WorkerParts['deadLetters'] } {
  const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const metrics = createMetrics('test');
  const closers: (() => unknown)[] = [];
  const parts = {
    redis,
    keys,
    log: quiet,
    metrics,
    deadLetters: createDeadLetters(redis, keys),
    history: {},
    deployment: {
      current: { generation: 0 },
      open: async () => undefined,
      evidence: { seen: (partition: number, streamId: string) => void shown.push(`${partition}-${streamId}`) },
    },
    lifecycle: {
      opened: (_: string, close: () => unknown) => closers.push(close),
      fail: (thrown: unknown) => {
        throw thrown;
      },
      stopping: false,
    },
    readiness: { watch: () => undefined },
    connections: createConnections(inject('redisUrl'), quiet),
    faults: createFaults(metrics, quiet),
    config: {
      NOTIFY_URL: receiver.url,
      NOTIFY_SECRET: [],
      NOTIFY_AFTER_MS: 1,
      notifyAfterMs: 1,
      NOTIFY_WINDOW_MS: windowMs,
      inboxRetentionMs: 1e9,
      importantRetentionMs: 1e9,
    },
  } as unknown as WorkerParts;
  startNotifying(parts, { firstMs: 5, mostMs: 10 });
  onTestFinished(async () => {
    for (const close of closers.toReversed()) await close();
  });
  return parts;
}

test('what the webhook never takes is tried 8 times under one id, 4xx too, and becomes one dead letter', async () => {
  status = 400;
  const { deadLetters, metrics } = start(60_000);
  await append(1);
  const calls = await receiver.called('bob', 8);
  expect(new Set(calls.map(({ id }) => id))).toEqual(new Set(['n_bob_1']));
  expect(shown[0]).toMatch(/^0-\d+-1$/);
  const letter = await vi.waitFor(async () => {
    const found = await deadLetters.find('notify-bob-1');
    expect(found).not.toBeNull();
    return found!;
  }, 15_000);
  expect(letter).toMatchObject({
    reason: 'unnotified',
    attempts: 8,
    error: 'the webhook answered 400',
    subject: { user: 'bob', head: 1 },
  });
  const counted = await metrics.registry.getSingleMetric('restante_notifications_total')!.get();
  expect(Object.fromEntries(counted.values.map(({ labels, value }) => [labels['result'], value]))).toEqual({
    failed: 8,
    dead: 1,
  });
  expect(receiver.callsFor('bob')).toHaveLength(8);
});

test('a window brings at most one digest, and none for what was told before', async () => {
  start(1500);
  await append(1);
  const [first] = await receiver.called('bob', 1);
  const since = Date.now();
  await append(2);
  await append(3);
  const [, second] = await receiver.called('bob', 2);
  expect(Date.now() - since).toBeGreaterThan(1000);
  expect([first!.id, second!.id]).toEqual(['n_bob_1', 'n_bob_3']);
  // What the user writes without receiving anything is no news.
  await append(4, 'bob', 'sender');
  await forgotten();
  expect(receiver.callsFor('bob')).toHaveLength(2);
  await append(5);
  expect((await receiver.called('bob', 3))[2]!.id).toBe('n_bob_5');
  await receive(5);
  await forgotten();
  expect(receiver.callsFor('bob')).toHaveLength(3);
});

test('a call that failed is not repeated once the user has received, or read, what it was about', async () => {
  status = 503;
  before = () => receive(1);
  const { metrics } = start(1);
  const counted = async (result: string) =>
    (await metrics.registry.getSingleMetric('restante_notifications_total')!.get()).values.find(
      ({ labels }) => labels['result'] === result,
    )?.value;
  await append(1);
  await vi.waitFor(async () => expect(await counted('received')).toBe(1), { timeout: 10_000, interval: 20 });
  expect(receiver.callsFor('bob')).toHaveLength(1);

  before = () => redis.hset(keys.user('bob'), 'c:c', '2 2 0 1 2 m');
  await append(2);
  await vi.waitFor(async () => expect(await counted('read')).toBe(1), { timeout: 10_000, interval: 20 });
  expect(receiver.callsFor('bob')).toHaveLength(2);
});

test('what was received or told later while a call failed is not told any more', async () => {
  status = 503;
  const waiting = createWaiting(redis, keys, { afterMs: 1, windowMs: 60_000 });
  await append(1);
  await append(2);
  expect(await waiting.peek('bob', 1)).toBe('wanted');
  await waiting.notified('bob', 2);
  expect([await waiting.peek('bob', 1), await waiting.peek('bob', 2)]).toEqual(['superseded', 'wanted']);
  await receive(2);
  await append(3);
  expect([await waiting.peek('bob', 2), await waiting.peek('bob', 3)]).toEqual(['received', 'wanted']);
});

test('two processes that look at once find a user due once; one who is due later is looked at later', async () => {
  const waiting = createWaiting(redis, keys, { afterMs: 1, windowMs: 60_000 });
  await append(1);
  await vi.waitFor(async () => expect(await waiting.due()).toEqual(['bob']), 15_000);
  const words = await Promise.all([waiting.review('bob'), waiting.review('bob'), waiting.review('bob')]);
  expect(words.map(({ word }) => word).sort()).toEqual(['due', 'later', 'later']);
  expect(await waiting.due()).toEqual([]);

  const patient = createWaiting(redis, keys, { afterMs: 60_000, windowMs: 60_000 });
  await redis.zadd(keys.waiting(keys.shardOf('bob')), 1, 'bob');
  expect(await patient.review('bob')).toEqual({ word: 'later' });
  expect(Number(await redis.zscore(keys.waiting(keys.shardOf('bob')), 'bob'))).toBeGreaterThan(Date.now() + 50_000);
});

test('a user noted while the clock was ahead becomes due as if noted now', async () => {
  const waiting = createWaiting(redis, keys, { afterMs: 300, windowMs: 7_200_000 });
  const [set, told] = [keys.waiting(keys.shardOf('bob')), keys.told(keys.shardOf('bob'))];
  const hourAhead = Date.now() + 3_600_000;
  await append(1, 'alice', 'member', 100, 3_600_000);
  expect(Number(await redis.zscore(set, 'bob'))).toBeGreaterThan(hourAhead - 60_000);
  expect(await waiting.due()).toEqual(['bob']);
  expect(await waiting.review('bob')).toEqual({ word: 'later' });
  expect(await waiting.due()).toEqual([]);
  await vi.waitFor(async () => expect(await waiting.due()).toEqual(['bob']), { timeout: 15_000, interval: 20 });
  expect(await waiting.review('bob')).toEqual({ word: 'due', head: 1 });

  // The next look may be as far ahead as a window, and no further.
  expect(await waiting.due()).toEqual([]);
  await redis.zadd(told, Date.now() + 10_800_000, 'bob');
  expect(await waiting.due()).toEqual(['bob']);
  expect(await waiting.review('bob')).toEqual({ word: 'later' });
  expect(Number(await redis.zscore(told, 'bob'))).toBeLessThan(Date.now() + 7_201_000);
});

test('gaps count as unreceived: what never came, and what was cut', async () => {
  const waiting = createWaiting(redis, keys, { afterMs: 0, windowMs: 0 });
  await append(1);
  await receive(1);
  await append(2, 'alice', 'missing');
  await vi.waitFor(async () => expect(await waiting.due()).toEqual(['bob']), 15_000);
  expect(await waiting.review('bob')).toEqual({ word: 'due', head: 2 });
  await receive(2);
  expect(await waiting.review('bob')).toEqual({ word: 'received' });
  expect(await waiting.due()).toEqual([]);

  // Alice's are cut, what is left bob wrote himself.
  await append(3);
  for (let seq = 4; seq < 8; seq++) await append(seq, 'bob', 'sender', 2);
  expect(await redis.xlen(keys.inbox('bob'))).toBe(2);
  await vi.waitFor(async () => expect(await waiting.due()).toEqual(['bob']), 15_000);
  expect(await waiting.review('bob')).toMatchObject({ word: 'due' });
});

test('neither own messages nor messages while notifications are off make a user due', async () => {
  await append(1, 'bob', 'sender');
  await append(2, 'alice', 'member', 100, 0);
  expect(await isWaiting()).toBe(false);
  await append(3);
  expect(await isWaiting()).toBe(true);
  const due = await redis.hget(keys.user('bob'), 'waiting');
  await append(4, 'alice', 'member', 100, 60_000);
  expect(await redis.hget(keys.user('bob'), 'waiting')).toBe(due);
});
