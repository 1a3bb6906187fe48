import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { findClocks, type ShiftedClock } from '../../tools/harness/shifted-clocks.ts';
import { type Cluster, startCluster, type Welcomed } from '../support/cluster.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { type Receiver, startReceiver } from '../support/webhook.ts';

/**
 * The wall clock of Redis, of the gateway or of `jobs` jumps, and the cluster goes on: what was accepted arrives once
 * and in order, nobody is limited or told late for the length of the jump, streams are trimmed, and no process stays
 * unfit.
 */

const clocks = findClocks();
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const notifyAfterMs = 1500;
/** Two looks for what a jump has put off, and some time for a busy machine. */
const mendedWithinMs = 15_000;
const inOrder = { timeout: 45_000, concurrent: false };

const steps: [string, number, 'stays' | 'moment'][] = [
  ['goes back 2.5 s', -2500, 'stays'],
  ['goes back 65 minutes', -65 * minuteMs, 'stays'],
  ['is 3 h ahead for a moment', 3 * hourMs, 'moment'],
  ['is 3 days ahead for a moment', 3 * dayMs, 'moment'],
];

type Message = { conversation: string; seq: number; at: number };

// These wait for most of their time, so the three clusters run at once; what one clock does comes in order.
describe.concurrent.each(['redis', 'web', 'jobs'] as const)('the clock of %s', (whose) => {
  let cluster: Cluster;
  let redis: RedisServer;
  let receiver: Receiver;
  let clock: ShiftedClock;
  let sends = 0;

  beforeAll(async () => {
    if ('reason' in clocks) return;
    clock = clocks.create();
    redis = await startRedis(whose === 'redis' ? clock.env : {});
    receiver = await startReceiver((_, response) => void response.writeHead(204).end());
    cluster = await startCluster({
      jobs: true,
      redisUrl: redis.url,
      clocks: whose === 'redis' ? {} : { [whose]: clock },
      env: {
        NOTIFY_URL: receiver.url,
        NOTIFY_AFTER_MS: String(notifyAfterMs),
        SEND_RATE_PER_USER: '100',
        PARTITIONS: '2',
        INBOX_RETENTION_DAYS: '1',
      },
    });
  });
  afterAll(async () => {
    if ('reason' in clocks) return;
    await cluster.stop();
    await receiver.stop();
    await redis.stop();
    clock.remove();
  });

  /** A token that is good by the machine's clock and by the shifted one. */
  const tokenOf = (user: string): string =>
    cluster.token(user, { exp: Math.floor(Math.max(Date.now(), clock.now()) / 1000) + 3600 });

  /** Who is told to come again, or that the outcome is unknown, sends the same again. */
  async function send(from: string, to: string): Promise<Message> {
    const body = { clientId: `c${++sends}`, to, kind: 'text', body: sends };
    return vi.waitFor(
      async () => {
        const answer = await cluster.http(tokenOf(from), 'POST', '/messages', body);
        expect([200, 201]).toContain(answer.status);
        return (answer.body as { message: Message }).message;
      },
      { timeout: 5000, interval: 100 },
    );
  }

  async function connect(user: string): Promise<Welcomed> {
    return vi.waitFor(() => cluster.connect(user), { timeout: mendedWithinMs, interval: 200 });
  }

  const arrived = (device: Welcomed, conversation: string): number[] =>
    device
      .all('deliver')
      .flatMap(({ items }) => items)
      .map(({ message }) => message)
      .filter((message) => message.conversation === conversation)
      .map(({ seq }) => seq);

  async function trimmed(): Promise<void> {
    await vi.waitFor(
      async () => {
        for (let partition = 0; partition < cluster.keys.partitions; partition++)
          expect(await cluster.redis.xlen(cluster.keys.messages(partition))).toBe(0);
      },
      { timeout: mendedWithinMs, interval: 100 },
    );
  }

  /** Everything works as if no clock had ever jumped; what was sent to `early` before is told in time as well. */
  async function worksWell(writer: string, early: string): Promise<void> {
    const [reader, absent] = [cluster.user('reader'), cluster.user('absent')];
    const reading = await connect(reader);
    reading.confirm();
    await send(writer, absent);
    const sent: Message[] = [];
    for (let i = 0; i < 5; i++) sent.push(await send(writer, reader));
    // Redis says when it was accepted.
    for (const { at } of sent)
      expect(Math.abs(at - (whose === 'redis' ? clock.now() : Date.now()))).toBeLessThan(10_000);
    await vi.waitFor(() => expect(arrived(reading, sent[0]!.conversation)).toEqual(sent.map(({ seq }) => seq)), {
      timeout: 5000,
      interval: 20,
    });
    await Promise.all([receiver.called(absent, 1, notifyAfterMs + 5000), receiver.called(early, 1, mendedWithinMs)]);
    await trimmed();
    // What is new comes first.
    const list = await cluster.http(tokenOf(writer), 'GET', '/conversations?limit=2');
    const history = await cluster.http(tokenOf(reader), 'GET', `/conversations/${sent[0]!.conversation}/messages`);
    expect([list.status, history.status]).toEqual([200, 200]);
    expect((list.body as { conversations: { id: string }[] }).conversations[0]!.id).toBe(sent[0]!.conversation);
    const messages = (history.body as { messages: Message[] }).messages.map(({ seq, at }) => ({ seq, at })).reverse();
    expect(messages).toEqual(sent.map(({ seq, at }) => ({ seq, at })));
    const items = reading
      .all('deliver')
      .flatMap((frame) => frame.items)
      .map(({ message }) => ({ seq: message.seq, at: message.at }));
    expect(items).toEqual(messages);
    await reading.close();
  }

  test.for(steps)('%s', inOrder, async ([, shiftMs, how], { skip }) => {
    if ('reason' in clocks) return skip(clocks.reason);
    const [writer, early, ahead] = [cluster.user('writer'), cluster.user('early'), cluster.user('ahead')];
    await send(writer, early);
    // Put down by the clock of before: told in time all the same.
    await cluster.settled('inbox');
    clock.shift(shiftMs);
    if (how === 'moment') {
      for (let i = 0; i < 4; i++) await send(writer, cluster.user('somebody'));
      await send(writer, early);
      // Whatever goes by the clock has gone by it meanwhile; nothing has become old by it.
      await trimmed();
      const inbox = await cluster.http(tokenOf(early), 'GET', '/inbox');
      expect(inbox.body).toMatchObject({ items: [{ position: 1 }, { position: 2 }], gaps: [] });
      await send(writer, ahead);
      await cluster.settled('inbox');
      clock.shift(0);
    }
    await worksWell(writer, how === 'moment' ? ahead : early);
  });

  test('leaves every process fit', inOrder, async ({ skip }) => {
    if ('reason' in clocks) return skip(clocks.reason);
    for (const line of ['web-1', 'fanout-1', 'archive-1', 'jobs-1'] as const) {
      await vi.waitFor(async () => expect(await cluster.ready(line)).toBe(true), {
        timeout: mendedWithinMs,
        interval: 200,
      });
    }
    expect((await cluster.log('jobs')).filter(({ event }) => event === 'queue_stuck')).toEqual([]);
  });
});
