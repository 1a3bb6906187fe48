import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openHistory } from '../../../shared/history/open.ts';
import type { HistoryStore } from '../../../shared/history/store.ts';
import { directConversation } from '../../../shared/model/ids.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { apiOf, refusal, textTo } from '../../support/http-client.ts';

/**
 * What the answer to a send waits for. The Redis of these tests has no append-only file, so `durable` cannot be given
 * (recovery/power-cuts.test.ts); `stored` can.
 */

let cluster: Cluster;
let alice: Welcomed;
let store: HistoryStore;
beforeAll(async () => {
  cluster = await startCluster({ fanout: false, env: { ACK_WAIT_MS: '1500' } });
  alice = await cluster.connect(cluster.user('alice'));
  store = await openHistory(`sqlite:${cluster.dir}/history.db`, { inThread: false });
});
afterAll(async () => {
  await store.close();
  await cluster.stop();
});

let sends = 0;
const send = (to: string, level?: string) => ({
  type: 'send',
  clientId: `m${++sends}`,
  to,
  kind: 'text',
  body: sends,
  ...(level === undefined ? {} : { level }),
});
const metric = async (name: string): Promise<number> =>
  Number(new RegExp(`^restante_${name} (\\S+)$`, 'm').exec(await cluster.metrics('web-1'))?.[1] ?? 0);

const textsOf = async (conversation: string, seq: number): Promise<string[]> =>
  (await store.blocks(conversation, seq, seq, 'oldest', 1)).flatMap(({ texts }) => texts);

test('welcome lists the levels that can be given', () => {
  expect(alice.welcome.limits.levels).toEqual(['accepted', 'stored']);
  expect(alice.welcome.features).not.toContain('durable');
});

test('accepted is the default, and every answer says its level', async () => {
  expect(await alice.request(send('bob'), 'accepted')).toMatchObject({ level: 'accepted' });
  expect(await alice.request(send('bob', 'accepted'), 'accepted')).toMatchObject({ level: 'accepted' });
});

test('a level that cannot be given, or is none, is bad_request, and nothing is accepted', async () => {
  const refused = await alice.request(send('bob', 'durable'), 'error');
  expect(refused).toMatchObject({ code: 'bad_request', retryable: false, clientId: `m${sends}` });
  expect(refused.message).toContain('durable');
  expect(await alice.request(send('bob', 'eternal'), 'error')).toMatchObject({ code: 'bad_request' });
  const api = apiOf(cluster, cluster.token('alice'));
  expect(refusal(await api('POST', '/messages', { ...textTo({ to: 'bob' }), level: 'durable' }))).toEqual([
    400,
    'bad_request',
  ]);
});

test('stored: when the answer comes, history has the message', async () => {
  for (let i = 0; i < 20; i++) {
    const { message, level } = await alice.request(send('carol', 'stored'), 'accepted');
    expect(level).toBe('stored');
    const [text] = await textsOf(message.conversation, message.seq);
    expect(JSON.parse(text!)).toMatchObject({ id: message.id, seq: message.seq });
  }
});

test('the archive tells the gateway: most answers need no question to history', async () => {
  const before = await metric('stored_seconds_count{role="web"}');
  const began = performance.now();
  for (let i = 0; i < 10; i++) await alice.request(send('carol', 'stored'), 'accepted');
  // History would be asked only after 400 ms for each.
  expect(performance.now() - began).toBeLessThan(10 * 400);
  expect(await metric('stored_seconds_count{role="web"}')).toBe(before + 10);
});

test('stored by HTTP, also for a repeated send', async () => {
  const api = apiOf(cluster, cluster.token('alice'));
  const message = { ...textTo({ to: 'dora' }), level: 'stored' };
  const first = await api('POST', '/messages', message);
  expect([first.status, first.body['level']]).toEqual([201, 'stored']);
  const { seq, conversation } = first.body['message'] as { seq: number; conversation: string };
  expect(await textsOf(conversation, seq)).toHaveLength(1);
  const again = await api('POST', '/messages', message);
  expect([again.status, again.body['level'], again.body['duplicate']]).toEqual([200, 'stored', true]);
});

describe('while the archive does not work', () => {
  beforeAll(() => cluster.end('archive-1'));
  afterAll(() => cluster.start('archive-1'));

  test('two levels on one socket: what waits for less is answered first, and nothing else waits', async () => {
    const strong = send('erin', 'stored');
    alice.send(strong);
    const weak = send('erin');
    expect(await alice.request(weak, 'accepted')).toMatchObject({ level: 'accepted' });
    // A ping waits for every send before it to be accepted, and for no level.
    await alice.settle();
    expect(alice.all('accepted').some(({ clientId }) => clientId === strong.clientId)).toBe(false);
    const waited = await alice.find('accepted', ({ clientId }) => clientId === strong.clientId);
    expect(waited).toMatchObject({ level: 'accepted', message: { seq: 1 } });
  });

  test('after ACK_WAIT_MS the answer says the level that was reached', async () => {
    const missed = await metric('level_missed_total{level="stored",role="web"}');
    const began = performance.now();
    const answer = await alice.request(send('frank', 'stored'), 'accepted');
    expect(answer.level).toBe('accepted');
    expect(performance.now() - began).toBeGreaterThan(1450);
    expect(await metric('level_missed_total{level="stored",role="web"}')).toBe(missed + 1);
  });

  test('a repeated send waits again, and is stored once the archive works', async () => {
    const message = send('gina', 'stored');
    expect(await alice.request(message, 'accepted')).toMatchObject({ level: 'accepted' });
    await cluster.start('archive-1');
    await cluster.settled('history');
    expect(await alice.request(message, 'accepted')).toMatchObject({ level: 'stored', duplicate: true });
    await cluster.end('archive-1');
  });

  test('many answers wait: they are no open requests, and the socket is read on below the bound', async () => {
    const many = Array.from({ length: 900 }, () => send('henry', 'stored'));
    for (const one of many) alice.send(one);
    await alice.settle();
    expect(await metric('waiting_answers{level="stored",role="web"}')).toBeGreaterThan(0);
    const mine = new Set(many.map(({ clientId }) => clientId));
    await alice.until(
      'all answers',
      () => alice.all('accepted').filter(({ clientId }) => mine.has(clientId)).length === 900,
    );
  });

  test('beyond the bound the socket is read more slowly, and every answer comes', async () => {
    const eve = await cluster.connect(cluster.user('eve'));
    const total = 3000;
    for (let i = 0; i < total; i++) eve.send(send('henry', 'stored'));
    const fast = eve.request({ type: 'ping' }, 'pong').then(() => 'pong');
    const first = eve.until('an answer', () => eve.all('accepted').length > 0).then(() => 'answer');
    // The ping comes behind sends that are not read before answers are written.
    expect(await Promise.race([fast, first])).toBe('answer');
    await eve.until('all answers', () => eve.all('accepted').length === total, 20_000);
    await fast;
  });
});

test('a direct conversation is the same one at every level', async () => {
  const me = alice.welcome.user;
  const { message } = await alice.request(send('ivan', 'stored'), 'accepted');
  expect(message.conversation).toBe(directConversation(me, 'ivan'));
});
