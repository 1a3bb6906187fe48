import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import type { Device } from '../../support/device.ts';
import { seqsOf } from '../../support/inbox.ts';
import { numbers } from '../../support/sending.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, env: { INBOX_MAX_ENTRIES: '100' } });
});
afterAll(() => cluster.stop());

async function sendMany(device: Device, conversation: string, count: number, name = 'm'): Promise<number[]> {
  const before = device.all('accepted').length;
  for (let i = 0; i < count; i++)
    device.send({ type: 'send', clientId: `${name}-${i}`, conversation, kind: 'text', body: `${name}-${i}` });
  await device.until(`${count} accepted`, () => device.all('accepted').length === before + count);
  return device
    .all('accepted')
    .slice(before)
    .map(({ message }) => message.seq);
}

type Group = { id: string; alice: Welcomed; bob: Welcomed; carol: string };

/** A group of alice and bob, both connected; carol is not in it yet. */
async function group(): Promise<Group> {
  const [alice, bob] = await Promise.all([
    cluster.connect(cluster.user('alice')),
    cluster.connect(cluster.user('bob'), { gateway: 2 }),
  ]);
  const id = cluster.user('group');
  const { status, body } = await cluster.http(cluster.token(alice.welcome.user), 'POST', '/conversations', {
    id,
    members: [alice.welcome.user, bob.welcome.user],
  });
  expect(status).toBe(201);
  expect(body).toMatchObject({ id, kind: 'group', memberCount: 2, lastSeq: 0, last: null });
  return { id, alice, bob, carol: cluster.user('carol') };
}

const change = async (
  method: 'PUT' | 'DELETE',
  by: string,
  conversation: string,
  user: string,
  claims: object = {},
): Promise<number> =>
  (await cluster.http(cluster.token(by, claims), method, `/conversations/${conversation}/members/${user}`)).status;

async function history(device: Device, ask: object): Promise<{ seqs: number[]; absent: object[]; more: boolean }> {
  const { messages, absent, more } = await device.request({ type: 'history', limit: 100, ...ask }, 'history');
  return { seqs: messages.map(({ seq }) => seq), absent, more };
}

/** carol joins at seq 3 and leaves at 6, joins again at 9 and is still there at 10. */
async function cameAndWent(): Promise<Group> {
  const made = await group();
  const { id, alice, carol } = made;
  await sendMany(alice, id, 2, 'a');
  expect(await change('PUT', alice.welcome.user, id, carol)).toBe(204);
  await sendMany(alice, id, 2, 'b');
  expect(await change('DELETE', carol, id, carol)).toBe(204);
  await sendMany(alice, id, 2, 'c');
  expect(await change('PUT', alice.welcome.user, id, carol)).toBe(204);
  await sendMany(alice, id, 1, 'd');
  return made;
}

describe('changes of members', () => {
  test('are messages in the order of the conversation', async () => {
    const { id, alice, bob, carol } = await group();
    await sendMany(alice, id, 1, 'before');
    expect(await change('PUT', bob.welcome.user, id, carol)).toBe(204);
    await sendMany(alice, id, 1, 'between');
    expect(await change('DELETE', alice.welcome.user, id, carol)).toBe(204);
    expect(await change('DELETE', bob.welcome.user, id, bob.welcome.user)).toBe(204);
    await sendMany(alice, id, 1, 'after');

    await bob.until('its own leave', () => seqsOf(bob, id).includes(5));
    const expected = [
      { seq: 1, kind: 'text', body: 'before-0', sender: alice.welcome.user },
      { seq: 2, kind: 'restante.membership', body: { user: carol, action: 'joined' }, sender: bob.welcome.user },
      { seq: 3, kind: 'text', body: 'between-0', sender: alice.welcome.user },
      { seq: 4, kind: 'restante.membership', body: { user: carol, action: 'removed' }, sender: alice.welcome.user },
      {
        seq: 5,
        kind: 'restante.membership',
        body: { user: bob.welcome.user, action: 'left' },
        sender: bob.welcome.user,
      },
    ];
    expect(bob.items.map(({ message }) => message)).toMatchObject(expected);
    const { messages } = await alice.request({ type: 'history', conversation: id, after: 0 }, 'history');
    expect(messages.slice(0, 5)).toEqual(bob.items.map(({ message }) => message));
    expect(messages).toHaveLength(6);
  });

  test('that change nothing are 204 and make no message', async () => {
    const { id, alice, bob, carol } = await group();
    expect(await change('PUT', alice.welcome.user, id, bob.welcome.user)).toBe(204);
    expect(await change('DELETE', alice.welcome.user, id, carol)).toBe(204);
    expect(await change('PUT', alice.welcome.user, id, carol)).toBe(204);
    expect(await change('PUT', alice.welcome.user, id, carol)).toBe(204);
    expect((await history(alice, { conversation: id })).seqs).toEqual([1]);
  });

  test('by a user who is not a member are not_found; in a direct conversation forbidden', async () => {
    const { id, alice, bob, carol } = await group();
    expect(await change('PUT', carol, id, carol)).toBe(404);
    expect(await change('DELETE', carol, id, bob.welcome.user)).toBe(404);
    expect(await change('PUT', carol, 'nothing', carol)).toBe(404);
    const { message } = await alice.request(
      { type: 'send', clientId: 'd', to: bob.welcome.user, kind: 'text', body: 1 },
      'accepted',
    );
    expect(await change('PUT', alice.welcome.user, message.conversation, carol)).toBe(403);
    expect(await change('DELETE', bob.welcome.user, message.conversation, alice.welcome.user)).toBe(403);
    expect(await change('PUT', carol, message.conversation, carol)).toBe(404);
    expect(await change('PUT', 'backend', message.conversation, carol, { scope: 'service' })).toBe(403);
  });

  test('a group that a service token created is changed by service tokens alone', async () => {
    const [dora, carol, id] = [
      await cluster.connect(cluster.user('dora')),
      cluster.user('carol'),
      cluster.user('group'),
    ];
    const service = { scope: 'openid service' };
    const created = await cluster.http(cluster.token('backend', service), 'POST', '/conversations', {
      id,
      members: [dora.welcome.user],
    });
    expect(created.status).toBe(201);
    expect(await change('PUT', dora.welcome.user, id, carol)).toBe(403);
    expect(await change('DELETE', dora.welcome.user, id, dora.welcome.user)).toBe(403);
    expect(await change('PUT', 'backend', id, carol, service)).toBe(204);
    await dora.find('deliver');
    expect(dora.items[0]!.message).toMatchObject({ sender: 'backend', body: { user: carol, action: 'joined' } });
  });
});

describe('what a member sees', () => {
  test('live: from its own join up to its own leave', async () => {
    const { id, alice, carol: name } = await group();
    const carol = await cluster.connect(name, { gateway: 2 });
    await sendMany(alice, id, 2, 'a');
    await change('PUT', alice.welcome.user, id, name);
    await sendMany(alice, id, 2, 'b');
    await change('DELETE', alice.welcome.user, id, name);
    await sendMany(alice, id, 2, 'c');
    await change('PUT', alice.welcome.user, id, name);
    await sendMany(alice, id, 1, 'd');
    await carol.until('the last message', () => seqsOf(carol, id).includes(10));
    expect(seqsOf(carol, id)).toEqual([3, 4, 5, 6, 9, 10]);
    expect(carol.items.map(({ position }) => position)).toEqual(numbers(1, carol.items.length));
    // What it was not to see is announced as nothing but the seqs.
    for (const gap of carol.gaps) expect(gap).toMatchObject({ conversation: id, fromSeq: 7, toSeq: 8 });
  });

  test('by sync', async () => {
    const { id, carol } = await cameAndWent();
    await cluster.settled('inbox');
    const device = await cluster.connect(carol, { mode: 'pull' });
    const page = await device.request({ type: 'sync', after: 0 }, 'page');
    expect(page.items.map(({ message }) => message.seq)).toEqual([3, 4, 5, 6, 9, 10]);
    expect(page.items.every(({ message }) => message.conversation === id)).toBe(true);
  });

  test.each([
    ['archived', true],
    ['not archived yet', false],
  ])('by history that is %s, with what is not its own named absent', async (_, archived) => {
    if (!archived) await cluster.end('archive');
    try {
      const { id, carol } = await cameAndWent();
      if (archived) await cluster.settled('history');
      const device = await cluster.connect(carol, { mode: 'pull' });
      expect(await history(device, { conversation: id })).toEqual({
        seqs: [10, 9, 6, 5, 4, 3],
        absent: [
          { fromSeq: 1, toSeq: 2 },
          { fromSeq: 7, toSeq: 8 },
        ],
        more: false,
      });
      expect(await history(device, { conversation: id, after: 0 })).toEqual({
        seqs: [3, 4, 5, 6, 9, 10],
        absent: [
          { fromSeq: 1, toSeq: 2 },
          { fromSeq: 7, toSeq: 8 },
        ],
        more: false,
      });
      expect(await history(device, { conversation: id, after: 5, limit: 2 })).toEqual({
        seqs: [6, 9],
        absent: [{ fromSeq: 7, toSeq: 8 }],
        more: true,
      });
      expect(await history(device, { conversation: id, before: 9, limit: 1 })).toEqual({
        seqs: [6],
        absent: [{ fromSeq: 7, toSeq: 8 }],
        more: true,
      });
      expect(await history(device, { conversation: id, before: 3 })).toEqual({
        seqs: [],
        absent: [{ fromSeq: 1, toSeq: 2 }],
        more: false,
      });
      expect(await history(device, { conversation: id, before: 9, after: undefined, limit: 100 })).toEqual({
        seqs: [6, 5, 4, 3],
        absent: [
          { fromSeq: 1, toSeq: 2 },
          { fromSeq: 7, toSeq: 8 },
        ],
        more: false,
      });
    } finally {
      await cluster.start('archive');
    }
  });

  test('after leaving: its own time and nothing later, also from what was cut', async () => {
    const { id, alice, carol } = await group();
    await change('PUT', alice.welcome.user, id, carol);
    await sendMany(alice, id, 150, 'during');
    await change('DELETE', alice.welcome.user, id, carol);
    await sendMany(alice, id, 150, 'after');
    await cluster.settled();
    const device = await cluster.connect(carol);
    await device.until('its leave', () => seqsOf(device, id).includes(152));
    const gap = device.gaps[0]!;
    expect(gap.fromSeq).toBe(1);
    expect(gap.toSeq).toBeLessThan(152);
    expect(Math.max(...device.gaps.map(({ toSeq }) => toSeq), ...seqsOf(device, id))).toBe(152);
    expect(await history(device, { conversation: id, after: 100 })).toEqual({
      seqs: numbers(101, 52),
      absent: [],
      more: false,
    });
    expect((await history(device, { conversation: id, limit: 2 })).seqs).toEqual([152, 151]);
  });

  test('an unread count that begins at its join', async () => {
    const { id, alice, carol } = await group();
    await sendMany(alice, id, 5, 'a');
    await change('PUT', alice.welcome.user, id, carol);
    await sendMany(alice, id, 2, 'b');
    await cluster.settled('inbox');
    const { welcome } = await cluster.connect(carol, { mode: 'lazy' });
    expect(welcome.unread).toMatchObject({
      total: 3,
      conversations: [{ conversation: id, name: null, unread: 3, readSeq: 5, lastSeq: 8, last: { body: 'b-1' } }],
    });
    expect(welcome.unread.conversations[0]!.peer).toBeUndefined();
  });
});

describe('a user who has left', () => {
  test('gets not_found for everything but its own time, and loses the conversation from list and unread', async () => {
    const { id, alice, carol } = await group();
    await change('PUT', alice.welcome.user, id, carol);
    const device = await cluster.connect(carol);
    const [seq] = await sendMany(device, id, 1, 'mine');
    await sendMany(alice, id, 3, 'more');
    await change('DELETE', alice.welcome.user, id, carol);
    await device.until('the removal', () => seqsOf(device, id).includes(6));

    const token = cluster.token(carol);
    const refused = [
      await device.request({ type: 'send', clientId: 'new', conversation: id, kind: 'text', body: 1 }, 'error'),
      await device.request({ type: 'read', conversation: id, seq: 1 }, 'error'),
    ];
    expect(refused.map(({ code }) => code)).toEqual(['not_found', 'not_found']);
    const paths: [string, string][] = [
      ['GET', `/conversations/${id}`],
      ['GET', `/conversations/${id}/members`],
      ['PUT', `/conversations/${id}/members/${carol}`],
    ];
    for (const [method, path] of paths)
      expect({ path, status: (await cluster.http(token, method, path)).status }).toEqual({ path, status: 404 });

    // But the repetition of an accepted send has its old answer.
    const again = await device.request(
      { type: 'send', clientId: 'mine-0', conversation: id, kind: 'text', body: 'mine-0' },
      'accepted',
    );
    expect(again).toMatchObject({ message: { seq }, duplicate: true });

    expect((await cluster.http(token, 'GET', '/conversations')).body).toEqual({ conversations: [] });
    expect((await cluster.connect(carol, { device: 'other', mode: 'lazy' })).welcome.unread).toEqual({
      total: 0,
      conversations: [],
      more: false,
    });
  });

  test('comes back with its read seq at the new join', async () => {
    const { id, carol } = await cameAndWent();
    await cluster.settled('inbox');
    const { welcome } = await cluster.connect(carol, { mode: 'lazy' });
    expect(welcome.unread.conversations).toMatchObject([{ conversation: id, unread: 2, readSeq: 8, lastSeq: 10 }]);
  });
});

test('sends that race with a removal reach exactly up to it', async () => {
  const { id, alice, bob, carol: name } = await group();
  await change('PUT', alice.welcome.user, id, name);
  const carol = await cluster.connect(name);
  const [, , status] = await Promise.all([
    sendMany(alice, id, 100, 'alice'),
    sendMany(bob, id, 100, 'bob'),
    change('DELETE', alice.welcome.user, id, name),
  ]);
  expect(status).toBe(204);
  await cluster.settled();
  const page = await history(alice, { conversation: id, after: 0 });
  const rest = await history(alice, { conversation: id, after: 100 });
  const more = await history(alice, { conversation: id, after: 200 });
  expect([...page.seqs, ...rest.seqs, ...more.seqs]).toEqual(numbers(1, 202));

  const seen = seqsOf(carol, id);
  const leave = carol.items.at(-1)!.message;
  expect(leave).toMatchObject({ kind: 'restante.membership', body: { user: name, action: 'removed' } });
  expect(seen).toEqual(numbers(1, leave.seq));
  const own = await cluster.connect(name, { mode: 'pull', device: 'other' });
  const last = await history(own, { conversation: id, limit: 1 });
  expect(last.seqs).toEqual([leave.seq]);
});
