import { Redis } from 'ioredis';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { openHistory } from '../../../shared/history/open.ts';
import { findRedis8, findValkey } from '../../../tools/harness/other-redis.ts';
import { findPowerCuts } from '../../../tools/harness/power-cuts.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { type DurableRedis, startDurableRedis } from '../../support/durable-redis.ts';

/** The host of Redis loses its power: what was not synced is gone. What the sender was told by its level is not. */

/** Each test starts servers of its own, some of them several times. */
vi.setConfig({ testTimeout: 90_000 });

const powerCuts = findPowerCuts();
const valkey = await findValkey();
const redis8 = await findRedis8();

let redis: DurableRedis;
let cluster: Cluster;
afterEach(async () => {
  await cluster?.stop();
  await redis?.stop();
});

/**
 * Sends until this many answers of the level have come, and one more that did not wait, then cuts the power at once.
 * With `everysec` an answer that waited for a sync comes just after one, so that the cut would have nothing to take.
 */
async function sendUntilCut(alice: Welcomed, level: string, answers: number) {
  let sent = 0;
  const send = (asked?: string): void =>
    alice.send({ type: 'send', clientId: `m${++sent}`, to: `bob-${sent % 7}`, kind: 'text', body: sent, level: asked });
  const told = () => alice.all('accepted').filter((answer) => answer.level === level);
  const sending = setInterval(() => {
    send(level);
    send('accepted');
  }, 5);
  try {
    await alice.until(`${answers} answers at ${level}`, () => told().length >= answers, 25_000);
    const atOnce = () => alice.all('accepted').filter((answer) => answer.level === 'accepted').length;
    const before = atOnce();
    await alice.until('one more answer at accepted', () => atOnce() > before, 25_000);
  } finally {
    clearInterval(sending);
  }
  const lostBytes = await redis.cutPower();
  // The gateway may have more answers in hand; none is at the level without having reached it before.
  await new Promise((resolve) => setImmediate(resolve));
  return { lostBytes, told, accepted: () => alice.all('accepted') };
}

/** The ids of all messages in the streams of Redis, after it has come back. */
async function idsInRedis(): Promise<Set<string>> {
  await redis.start();
  const direct = new Redis(redis.url);
  const ids = new Set<string>();
  for (let partition = 0; partition < cluster.keys.partitions; partition++)
    for (const [streamId] of await direct.xrange(cluster.keys.messages(partition), '-', '+'))
      ids.add(`${partition}-${streamId}`);
  direct.disconnect();
  return ids;
}

async function begin(env: Record<string, string>, archive: boolean): Promise<Welcomed> {
  // Without fanout and jobs nothing settles and nothing is trimmed: what was accepted stays in the streams.
  cluster = await startCluster({ fanout: false, archive, redisUrl: redis.url, env });
  cluster.redis.on('error', () => undefined);
  return cluster.connect('alice');
}

describe('durable', () => {
  test('by appendfsync always', async ({ skip }) => {
    if ('reason' in powerCuts) return skip(powerCuts.reason);
    redis = await startDurableRedis({ appendfsync: 'always', powerCuts });
    const alice = await begin({}, false);
    expect(alice.welcome.limits.levels).toEqual(['accepted', 'durable', 'stored']);
    expect(alice.welcome.features).toContain('durable');
    const { told } = await sendUntilCut(alice, 'durable', 300);
    const ids = await idsInRedis();
    expect(told().filter(({ message }) => !ids.has(message.id))).toEqual([]);
  });

  test('by WAITAOF with appendfsync everysec, while accepted alone is lost', async ({ skip }) => {
    if ('reason' in powerCuts) return skip(powerCuts.reason);
    if ('missing' in redis8) return skip(redis8.missing);
    redis = await startDurableRedis({ binary: redis8.path, appendfsync: 'everysec', powerCuts });
    const alice = await begin({}, false);
    expect(alice.welcome.limits.levels).toContain('durable');
    const { told, accepted, lostBytes } = await sendUntilCut(alice, 'durable', 300);
    expect(lostBytes).toBeGreaterThan(0);
    const ids = await idsInRedis();
    expect(told().filter(({ message }) => !ids.has(message.id))).toEqual([]);
    // The cut has taken something: otherwise this test would show nothing.
    expect(accepted().some(({ message, level }) => level === 'accepted' && !ids.has(message.id))).toBe(true);
  });
});

test('stored: history has it, while Redis has lost it', async ({ skip }) => {
  if ('reason' in powerCuts) return skip(powerCuts.reason);
  // With `everysec`, what was stored a moment ago may just have been synced.
  redis = await startDurableRedis({ appendfsync: 'no', powerCuts });
  const alice = await begin({}, true);
  const { told } = await sendUntilCut(alice, 'stored', 300);
  const history = await openHistory(`sqlite:${cluster.dir}/history.db`, { inThread: false });
  for (const { message } of told()) {
    const blocks = await history.blocks(message.conversation, message.seq, message.seq, 'oldest', 1);
    expect(blocks.flatMap(({ texts }) => texts).some((text) => text.includes(`"id":"${message.id}"`))).toBe(true);
  }
  await history.close();
  const ids = await idsInRedis();
  expect(told().some(({ message }) => !ids.has(message.id))).toBe(true);
});

test('an answer that waits when state is lost is unknown_outcome, before the socket is closed', async ({ skip }) => {
  if ('reason' in powerCuts) return skip(powerCuts.reason);
  redis = await startDurableRedis({ appendfsync: 'no', powerCuts });
  const alice = await begin({ ACK_WAIT_MS: '60000' }, false);
  const send = (clientId: string, level: string) =>
    alice.send({ type: 'send', clientId, to: 'bob', kind: 'text', body: 1, level });
  send('waits', 'stored');
  send('does-not', 'accepted');
  await alice.find('accepted', ({ clientId }) => clientId === 'does-not');
  await redis.cutPower();
  await redis.start();
  const { code } = await alice.closed;
  expect(code).toBe(1012);
  expect(alice.all('error')).toMatchObject([{ clientId: 'waits', code: 'unknown_outcome', retryable: true }]);
  expect(alice.all('accepted').map(({ clientId }) => clientId)).toEqual(['does-not']);
});

describe('a Redis that cannot do what is claimed', () => {
  /** The error that ends the start of a gateway; '' if it starts. */
  async function startFault(env: Record<string, string>): Promise<string> {
    try {
      await begin(env, false);
      return '';
    } catch (thrown) {
      return (thrown as Error).message;
    }
  }

  test.each([
    [{ DURABLE_BY: 'always' }, 'DURABLE_BY: always, but Redis has appendfsync everysec'],
    [{ DURABLE_BY: 'always', ACK_LEVEL: 'durable' }, 'DURABLE_BY: always, but Redis has appendfsync everysec'],
  ])('%j stops the start with a sentence', async (env, sentence) => {
    redis = await startDurableRedis({ appendfsync: 'everysec' });
    const fault = await startFault(env);
    expect(fault).toContain('"event":"config_fault"');
    expect(fault).toContain(sentence);
  });

  // Valkey 9.1 answers WAITAOF before it has synced: what it says would be lost in a power cut.
  test('is not believed: its WAITAOF stops the start, and durable is not offered', async ({ skip }) => {
    if ('missing' in valkey) return skip(valkey.missing);
    redis = await startDurableRedis({ binary: valkey.path, appendfsync: 'everysec' });
    expect(await startFault({ DURABLE_BY: 'waitaof' })).toContain('this Redis answers WAITAOF before it has synced');
    expect(await startFault({ ACK_LEVEL: 'durable' })).toContain('no WAITAOF that can be relied on');
    const alice = await begin({}, false);
    expect(alice.welcome.limits.levels).toEqual(['accepted', 'stored']);
  });

  test('is believed where every write is synced', async ({ skip }) => {
    if ('missing' in valkey) return skip(valkey.missing);
    redis = await startDurableRedis({ binary: valkey.path, appendfsync: 'always' });
    const alice = await begin({ DURABLE_BY: 'waitaof' }, false);
    const send = { type: 'send', clientId: 'm', to: 'bob', kind: 'text', body: 1, level: 'durable' };
    expect(await alice.request(send, 'accepted')).toMatchObject({ level: 'durable' });
    expect(await cluster.redis.info('commandstats')).toMatch(/cmdstat_waitaof:calls=[1-9]/);
  });
});
