import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';

/** Users of very many large groups, and gateways that do not agree about what is large. */

const env = { FANOUT_MAX_MEMBERS: '2' };
let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, env });
});
afterAll(() => cluster.stop());

const all = 230;
const ids = Array.from({ length: all }, (_, i) => `large-${i}`);
async function post(conversation: string, clientId: string): Promise<number> {
  const service = cluster.token('shop', { scope: 'service' });
  const { status, body } = await cluster.http(service, 'POST', '/messages', {
    sender: 'shop',
    clientId,
    conversation,
    kind: 'text',
    body: clientId,
  });
  expect(status).toBe(201);
  return (body as { message: { seq: number } }).message.seq;
}
const postToAll = (clientId: string) => Promise.all(ids.map((id) => post(id, clientId)));

type Gap = { position: number; conversation: string; fromSeq: number; toSeq: number };
const sorted = (gaps: Gap[]) =>
  gaps.map(({ conversation, fromSeq, toSeq }) => `${conversation} ${fromSeq}-${toSeq}`).sort();
const expected = (fromSeq: number, toSeq: number) => ids.map((id) => `${id} ${fromSeq}-${toSeq}`).sort();

test('a gateway keeps nothing of users who have disconnected', async () => {
  const gauge = async () => /^restante_large_groups\{[^}]*\} (\d+)$/m.exec(await cluster.metrics('web-1'))?.[1];
  const users = Array.from({ length: 12 }, (_, i) => `passer-${i}`);
  await Promise.all(
    ['one', 'two', 'three'].map((name) =>
      cluster.http(cluster.token(users[0]!), 'POST', '/conversations', { id: `hall-${name}`, members: users }),
    ),
  );
  await cluster.settled('inbox');
  const stay = await cluster.connect(users[0]!);
  for (let round = 0; round < 3; round++) {
    const devices = await Promise.all(users.slice(1).map((user) => cluster.connect(user)));
    await post('hall-one', `round-${round}`);
    await Promise.all(
      devices.map(async (device, i) => {
        if (i % 2 === 0) device.socket.terminate();
        else await device.close();
      }),
    );
  }
  await stay.until('all three', () => stay.pushed.length === 3);
  await stay.close();
  const numbers = () =>
    cluster.redis.pubsub('NUMSUB', ...['one', 'two', 'three'].map((name) => cluster.keys.large(`hall-${name}`)));
  await vi.waitFor(
    async () => expect((await numbers()).filter((word) => typeof word === 'number')).toEqual([0, 0, 0]),
    15_000,
  );
  expect(await gauge()).toBe('0');
  const again = await cluster.connect(users[3]!);
  await vi.waitFor(async () => expect((await numbers()).filter((word) => word === 1).length).toBe(3), 15_000);
  expect(await gauge()).toBe('3');
  const seq = await post('hall-two', 'after');
  await again.until('a live message', () =>
    again.pushed.some(({ message }) => message.conversation === 'hall-two' && message.seq === seq),
  );
}, 60_000);

test('a user of more groups than a page has gaps gets all of them, each once, however it asks', async () => {
  await Promise.all(
    ids.map((id) =>
      cluster.http(cluster.token('alice'), 'POST', '/conversations', {
        id,
        members: ['alice', 'bob', 'carol', 'dave'],
      }),
    ),
  );
  await postToAll('one');
  await cluster.settled('inbox');

  const pull = await cluster.connect('bob', { mode: 'pull' });
  const gaps: Gap[] = [];
  for (let after = 0, more = true; more;) {
    const page = await pull.request({ type: 'sync', after, limit: 1 }, 'page');
    gaps.push(...page.gaps);
    ({ next: after, more } = page);
  }
  expect(sorted(gaps)).toEqual(expected(1, 1));

  await postToAll('two');
  const polled: Gap[] = [];
  for (let more = true; more;) {
    const { status, body } = await cluster.http(cluster.token('carol'), 'GET', '/inbox?device=desk&limit=1');
    expect(status).toBe(200);
    const page = body as { gaps: Gap[]; next: number; more: boolean };
    polled.push(...page.gaps);
    ({ more } = page);
    expect(
      (await cluster.http(cluster.token('carol'), 'POST', '/inbox/received', { device: 'desk', position: page.next }))
        .status,
    ).toBe(200);
  }
  expect(sorted(polled)).toEqual(expected(1, 2));

  const push = await cluster.connect('dave', { gateway: 2 });
  await push.until('the first page', () => push.gaps.length === 200);
  push.received(push.gaps.at(-1)!.position);
  await push.until('all', () => push.gaps.length === all);
  push.received(push.gaps.at(-1)!.position);
  expect(sorted(push.gaps)).toEqual(expected(1, 2));
  expect(push.welcome.unread).toMatchObject({ total: 2 * all, more: true });
  await postToAll('three');
  await push.until('all live', () => push.pushed.length === all);
  const listed: string[] = [];
  for (let after = ''; ;) {
    const { body } = await cluster.http(cluster.token('dave'), 'GET', `/conversations?limit=50${after}`);
    const page = body as { conversations: { id: string; lastSeq: number; unread: number }[]; next?: string };
    for (const one of page.conversations) expect(one).toMatchObject({ lastSeq: 3, unread: 3 });
    listed.push(...page.conversations.map(({ id }) => id));
    if (page.next === undefined) break;
    after = `&after=${page.next}`;
  }
  expect(listed.toSorted()).toEqual(ids.toSorted());
}, 60_000);

test('two gateways that do not agree about what is large lose nothing, and no item falls back', async () => {
  const members = ['erin', 'frank', 'grace', 'heidi'];
  expect((await cluster.http(cluster.token('erin'), 'POST', '/conversations', { id: 'square', members })).status).toBe(
    201,
  );
  env.FANOUT_MAX_MEMBERS = '4';
  await cluster.end('web-2');
  await cluster.start('web-2');
  const [erin, grace] = [await cluster.connect('erin'), await cluster.connect('grace', { gateway: 2 })];
  const readers: Welcomed[] = [await cluster.connect('frank'), await cluster.connect('heidi', { gateway: 2 })];
  let last = 0;
  for (let i = 0; i < 40; i++) {
    const sender = i % 3 === 0 ? erin : grace;
    const { message } = await sender.request(
      { type: 'send', clientId: `c-${i}`, conversation: 'square', kind: 'text', body: i },
      'accepted',
    );
    last = message.seq;
  }
  for (const reader of readers) {
    const heard = new Set<number>();
    await reader.until('all', () => {
      for (const { message } of reader.pushed) heard.add(message.seq);
      for (const { fromSeq, toSeq } of reader.gaps) for (let seq = fromSeq; seq <= toSeq; seq++) heard.add(seq);
      return heard.size === last;
    });
    const seqs = reader.pushed.map(({ message }) => message.seq);
    expect(seqs).toEqual(seqs.toSorted((one, other) => one - other));
    expect(new Set(seqs).size).toBe(seqs.length);
    expect(reader.pushed.filter(({ position }) => position !== undefined).length).toBeGreaterThan(10);
    expect(reader.pushed.filter(({ position }) => position === undefined).length).toBeGreaterThan(0);
  }
}, 60_000);
