import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { edit, groupOf, readAll, recall, say } from '../../support/amending.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import type { Device } from '../../support/device.ts';
import type { Message } from '../../support/frames.ts';
import { apiOf } from '../../support/http-client.ts';
import { sendMany } from '../../support/sending.ts';

/** What devices get of recalled and edited messages: live, as a backlog, by pages, and what is counted. */

let cluster: Cluster;
let alice: Welcomed;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, env: { INBOX_MAX_ENTRIES: '100', FANOUT_MAX_MEMBERS: '4' } });
  alice = await cluster.connect(cluster.user('alice'));
});
afterAll(() => cluster.stop());

const member = async (conversation: string, user: string, method: 'PUT' | 'DELETE'): Promise<void> => {
  const token = cluster.token('backend', { scope: 'service' });
  const { status } = await cluster.http(token, method, `/conversations/${conversation}/members/${user}`);
  expect(status).toBe(204);
};
const received = async (device: Device, conversation: string, count: number): Promise<Message[]> => {
  const found = () => device.pushed.map(({ message }) => message).filter((one) => one.conversation === conversation);
  await device.until(`${count} of ${conversation}`, () => found().length >= count);
  return found();
};
const shown = ({ seq, body, amended }: Message) => ({ seq, body, ...(amended === undefined ? {} : { amended }) });
const inForce = ({ action, by, at, version, amendSeq }: Record<string, unknown>) => ({
  action,
  by,
  at,
  version,
  amendSeq,
});

/** Everything of a user's inbox, as HTTP gives it. */
async function inboxOf(user: string): Promise<{ text: string; messages: Message[] }> {
  await cluster.settled('inbox');
  const { body } = await cluster.http(cluster.token(user), 'GET', '/inbox?after=0&limit=200');
  const { items } = body as { items: { message: Message }[] };
  return { text: JSON.stringify(body), messages: items.map(({ message }) => message) };
}

test('a device that was offline learns it in order', async () => {
  const bob = cluster.user('bob');
  await sendMany(alice, bob, 4, bob);
  const seq = await say(alice, { to: bob }, 'old');
  const first = await edit(alice, { to: bob }, seq, 'new');
  await say(alice, { to: bob }, 'ten');
  await cluster.settled('inbox');
  const device = await cluster.connect(bob);
  const got = await received(device, first.conversation, 7);
  expect(got.slice(4).map(shown)).toEqual([
    { seq: 5, body: 'new', amended: inForce(first) },
    { seq: 6, body: { seq: 5, action: 'edit', version: 1, body: 'new' } },
    { seq: 7, body: 'ten' },
  ]);
});

test('live, the item is all: no other frame says it, and the device that amends gets its answer alone', async () => {
  const [bob, tablet] = [
    await cluster.connect(cluster.user('bob'), { gateway: 2 }),
    await cluster.connect(alice.welcome.user, { device: 'tablet' }),
  ];
  const to = { to: bob.welcome.user };
  const seq = await say(alice, to, 'old');
  const { conversation, amendSeq } = await edit(alice, to, seq, { text: 'new "body": {}' });
  const body = { seq, action: 'edit', version: 1, body: { text: 'new "body": {}' } };
  for (const device of [bob, tablet]) {
    expect((await received(device, conversation, 2)).map(shown)).toEqual([
      { seq, body: 'old' },
      { seq: amendSeq, body },
    ]);
  }
  await recall(alice, to, seq);
  expect(shown((await received(bob, conversation, 3)).at(-1)!)).toEqual({
    seq: amendSeq + 1,
    body: { seq, action: 'recall', version: 2 },
  });
  await alice.settle();
  expect(alice.pushed.filter(({ message }) => message.conversation === conversation)).toEqual([]);
  expect(new Set(bob.frames.map(({ type }) => type))).toEqual(new Set(['welcome', 'deliver']));
  await tablet.close();
});

test('a lazy device gets it live, and a pulling one by its pages', async () => {
  const user = cluster.user('bob');
  const lazy = await cluster.connect(user, { device: 'lazy', mode: 'lazy' });
  const pulling = await cluster.connect(user, { device: 'pull', mode: 'pull' });
  const seq = await say(alice, { to: user }, 'old');
  const { conversation } = await edit(alice, { to: user }, seq, 'new');
  expect((await received(lazy, conversation, 2)).map(({ body }) => body)).toEqual([
    'old',
    { seq, action: 'edit', version: 1, body: 'new' },
  ]);
  const page = await pulling.request({ type: 'sync', after: 0 }, 'page');
  expect(page.items.map(({ message }) => message.body)).toEqual([
    'new',
    { seq, action: 'edit', version: 1, body: 'new' },
  ]);
  expect(pulling.pushed).toEqual([]);
});

test('what is pushed again reads as it does now', { timeout: 30_000 }, async () => {
  const bob = await cluster.connect(cluster.user('bob'));
  await cluster.start('jobs-1');
  const seq = await say(alice, { to: bob.welcome.user }, 'old');
  const { conversation } = await recall(alice, { to: bob.welcome.user }, seq);
  const again = await received(bob, conversation, 4);
  expect(again.slice(2).map(({ body }) => body)).toEqual([null, { seq, action: 'recall', version: 1 }]);
  await cluster.end('jobs-1');
});

test('two edits while a device is away: the first is superseded, the second has its body', async () => {
  const bob = cluster.user('bob');
  const seq = await say(alice, { to: bob }, 'old');
  await edit(alice, { to: bob }, seq, 'first');
  const second = await edit(alice, { to: bob }, seq, 'second');
  await cluster.settled('inbox');
  const device = await cluster.connect(bob);
  expect((await received(device, second.conversation, 3)).map(shown)).toEqual([
    { seq, body: 'second', amended: inForce(second) },
    { seq: seq + 1, body: { seq, action: 'edit', version: 1, superseded: true } },
    { seq: seq + 2, body: { seq, action: 'edit', version: 2, body: 'second' } },
  ]);
});

test('a recalled body is in no answer', async () => {
  const bob = cluster.user('bob');
  const secret = 'word-that-was-recalled';
  const seq = await say(alice, { to: bob }, { text: secret });
  const { conversation } = await recall(alice, { to: bob }, seq);
  await cluster.settled();
  const device = await cluster.connect(bob);
  await received(device, conversation, 2);
  await device.request({ type: 'sync', after: 0 }, 'page');
  await readAll(device, { conversation });
  const api = apiOf(cluster, cluster.token(bob));
  const answers = await Promise.all(
    ['/inbox?after=0', '/conversations', `/conversations/${conversation}`].map((path) => api('GET', path)),
  );
  for (const { status } of answers) expect(status).toBe(200);
  expect([...device.texts, JSON.stringify(answers)].join('\n')).not.toContain(secret);
});

test('an amendment that the inbox no longer holds is in a gap, and in history', async () => {
  const bob = cluster.user('bob');
  const seq = await say(alice, { to: bob }, 'old');
  const { conversation, amendSeq } = await edit(alice, { to: bob }, seq, 'new');
  await sendMany(alice, bob, 150, bob);
  await cluster.settled();
  const { text } = await inboxOf(bob);
  expect(text).not.toMatch(/"(?:old|new)"/);
  const device = await cluster.connect(bob);
  const gap = await device.find('gap');
  expect(gap.fromSeq).toBe(1);
  expect(gap.toSeq).toBeGreaterThanOrEqual(amendSeq);
  expect(await cluster.redis.exists(cluster.keys.overlays(bob))).toBe(0);
  expect((await readAll(device, { conversation })).slice(0, 2).map(({ body }) => body)).toEqual([
    'new',
    { seq, action: 'edit', version: 1, body: 'new' },
  ]);
});

describe('who may not see all of it', () => {
  test('who came later gets the amendment without its body, on every path', async () => {
    const carol = await cluster.connect(cluster.user('carol'));
    const conversation = await groupOf(cluster, alice.welcome.user, cluster.user('bob'));
    const seq = await say(alice, { conversation }, 'before');
    await member(conversation, carol.welcome.user, 'PUT');
    const { amendSeq } = await edit(alice, { conversation }, seq, 'secret of before');
    const [, live] = await received(carol, conversation, 2);
    expect(shown(live!)).toEqual({ seq: amendSeq, body: { seq, action: 'edit', version: 1 } });
    const { text, messages } = await inboxOf(carol.welcome.user);
    expect(JSON.stringify(messages.at(-1))).toBe(JSON.stringify(live));
    const history = await readAll(carol, { conversation });
    expect(JSON.stringify(history.at(-1))).toBe(JSON.stringify(live));
    expect([text, ...carol.texts].join('\n')).not.toContain('secret');
  });

  test('who has left is withheld what was amended since, also in its backlog', async () => {
    const carol = cluster.user('carol');
    const conversation = await groupOf(cluster, alice.welcome.user, cluster.user('bob'), carol);
    const recalled = await say(alice, { conversation }, 'recalled later');
    const edited = await say(alice, { conversation }, 'edited later');
    await member(conversation, carol, 'DELETE');
    await edit(alice, { conversation }, edited, 'after she left');
    await recall(alice, { conversation }, recalled);
    await cluster.settled();
    const withheld = { body: null, amended: { action: 'withheld' } };
    const { text, messages } = await inboxOf(carol);
    expect(messages.slice(0, 2)).toMatchObject([withheld, withheld]);
    const device = await cluster.connect(carol);
    const backlog = await received(device, conversation, 3);
    expect(JSON.stringify(backlog)).toBe(JSON.stringify(messages));
    expect(JSON.stringify(await readAll(device, { conversation }))).toBe(JSON.stringify(messages));
    expect(backlog).toHaveLength(3);
    expect([text, ...device.texts].join('\n')).not.toMatch(/later|after she left/);
  });
});

describe('a large group', () => {
  const group = async (size: number): Promise<{ conversation: string; users: string[] }> => {
    const users = Array.from({ length: size - 1 }, () => cluster.user('member'));
    return { conversation: await groupOf(cluster, alice.welcome.user, ...users), users };
  };

  test('it comes live without a position; who was away has it in a gap', async () => {
    const { conversation, users } = await group(6);
    await cluster.settled('inbox');
    const bob = await cluster.connect(users[0]!, { gateway: 2 });
    const seq = await say(alice, { conversation }, 'old');
    await member(conversation, users[1]!, 'DELETE');
    const later = await cluster.connect(cluster.user('later'), { gateway: 2 });
    await member(conversation, later.welcome.user, 'PUT');
    await later.until('its join', () => later.pushed.length > 0);
    // What is accepted while it takes its seat comes as a gap.
    const since = await say(alice, { conversation }, 'since');
    await later.until('what came since', () =>
      [...later.pushed.map(({ message }) => message.seq), ...later.gaps.map(({ toSeq }) => toSeq)].includes(since),
    );
    const { amendSeq } = await edit(alice, { conversation }, seq, 'new');

    const live = (await received(bob, conversation, 5)).at(-1)!;
    expect(shown(live)).toEqual({ seq: amendSeq, body: { seq, action: 'edit', version: 1, body: 'new' } });
    expect(bob.pushed.at(-1)!.position).toBeUndefined();
    await later.until('the amendment', () => later.pushed.some(({ message }) => message.seq === amendSeq));
    expect(later.pushed.at(-1)!.message.body).toEqual({ seq, action: 'edit', version: 1 });

    const away = await cluster.connect(users[2]!);
    expect((await away.find('gap')).toSeq).toBe(amendSeq);
    expect((await readAll(away, { conversation }))[0]).toMatchObject({ body: 'new' });
    for (const user of users) expect(await cluster.redis.exists(cluster.keys.overlays(user))).toBe(0);
  });

  test('what came to inboxes before the group was large reads as it does now', async () => {
    const { conversation, users } = await group(4);
    const seq = await say(alice, { conversation }, 'from before');
    const other = await say(alice, { conversation }, 'also from before');
    await member(conversation, cluster.user('fifth'), 'PUT');
    await say(alice, { conversation }, 'large now');
    await edit(alice, { conversation }, seq, 'new');
    await recall(alice, { conversation }, other);
    const { text, messages } = await inboxOf(users[0]!);
    expect(messages.slice(0, 2)).toMatchObject([
      { body: 'new', amended: { version: 1 } },
      { body: null, amended: { action: 'recall' } },
    ]);
    expect(text).not.toContain('from before');
  });

  test('amendments and recalled messages do not count there either', async () => {
    const { conversation, users } = await group(6);
    await cluster.settled('inbox');
    const first = await say(alice, { conversation }, 'one');
    await say(alice, { conversation }, 'two');
    const third = await say(alice, { conversation }, 'three');
    await edit(alice, { conversation }, first, 'one, edited');
    await recall(alice, { conversation }, third);
    await cluster.settled();
    const api = apiOf(cluster, cluster.token(users[0]!));
    const { body: one } = await api('GET', `/conversations/${conversation}`);
    expect(one).toMatchObject({ unread: 2, lastSeq: 5, last: { seq: 2, body: 'two' } });
    const { body: list } = await api('GET', '/conversations');
    expect(list).toMatchObject({ conversations: [{ unread: 2, lastSeq: 5, last: { seq: 2 } }] });
    const { welcome } = await cluster.connect(users[1]!, { mode: 'pull' });
    expect(welcome.unread).toMatchObject({ total: 2, conversations: [{ unread: 2, last: { seq: 2, body: 'two' } }] });
  });

  test('nor once the group is small again', async () => {
    const { conversation, users } = await group(6);
    const [first, second] = [await say(alice, { conversation }, 'one'), await say(alice, { conversation }, 'two')];
    await edit(alice, { conversation }, first, 'one, edited');
    await edit(alice, { conversation }, first, 'one, edited again');
    await recall(alice, { conversation }, second);
    for (const user of users.slice(-2)) await member(conversation, user, 'DELETE');
    await say(alice, { conversation }, 'three');
    await cluster.settled();
    const { body } = await apiOf(cluster, cluster.token(users[0]!))('GET', `/conversations/${conversation}`);
    // The first text, the leaves, and the last text.
    expect(body).toMatchObject({ unread: 4, lastSeq: 8, last: { body: 'three' } });
  });
});

describe('unread', () => {
  const unreadOf = async (user: string) => {
    await cluster.settled('inbox');
    const api = apiOf(cluster, cluster.token(user));
    const counter = await cluster.connect(user, { mode: 'pull', device: 'counter' });
    const summary = counter.welcome.unread;
    await counter.close();
    const { body: list } = await api('GET', '/conversations');
    const [shownNow] = list['conversations'] as { id: string; unread: number; last: Message | null; lastSeq: number }[];
    const { body: one } = await api('GET', `/conversations/${shownNow!.id}`);
    expect([one['unread'], one['last'], one['lastSeq']]).toEqual([shownNow!.unread, shownNow!.last, shownNow!.lastSeq]);
    return { total: summary.total, summary, unread: shownNow!.unread, last: shownNow!.last?.body ?? null };
  };

  test('amendments and recalled messages do not count, and the newest that does is shown as it reads now', async () => {
    const bob = cluster.user('bob');
    const to = { to: bob };
    const [one, two, three] = [await say(alice, to, 'one'), await say(alice, to, 'two'), await say(alice, to, 'three')];
    await edit(alice, to, three, 'three, edited');
    await recall(alice, to, two);
    expect(await unreadOf(bob)).toMatchObject({ total: 2, unread: 2, last: 'three, edited' });
    await recall(alice, to, three);
    expect(await unreadOf(bob)).toMatchObject({ total: 1, unread: 1, last: 'one' });
    await recall(alice, to, one);
    expect(await unreadOf(bob)).toMatchObject({ unread: 0, last: null, summary: { total: 0, conversations: [] } });
  });

  test('an amendment does not move its conversation in the list', async () => {
    const bob = cluster.user('bob');
    const carol = await cluster.connect(cluster.user('carol'));
    const seq = await say(alice, { to: bob }, 'first');
    await say(carol, { to: bob }, 'second');
    await edit(alice, { to: bob }, seq, 'first, edited');
    await cluster.settled('inbox');
    const { body } = await apiOf(cluster, cluster.token(bob))('GET', '/conversations');
    const peers = (body['conversations'] as { peer: string }[]).map(({ peer }) => peer);
    expect(peers).toEqual([carol.welcome.user, alice.welcome.user]);
  });
});

test('a flood of amendments to one user leaves its inbox within its bounds', { timeout: 60_000 }, async () => {
  const bob = cluster.user('bob');
  const seq = await say(alice, { to: bob }, 'old');
  for (let i = 1; i <= 900; i += 100)
    await Promise.all(Array.from({ length: 100 }, (_, j) => edit(alice, { to: bob }, seq, `edit ${i + j}`)));
  await cluster.settled('inbox');
  const { redis, keys } = cluster;
  expect(await redis.xlen(keys.inbox(bob))).toBeLessThanOrEqual(102);
  expect(await redis.hlen(keys.overlays(bob))).toBe(1);
  const { messages } = await inboxOf(bob);
  expect(messages.at(-1)!.body).toMatchObject({ version: 900, body: expect.stringMatching(/^edit/) as string });
});
