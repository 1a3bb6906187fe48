import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import type { Device } from '../../support/device.ts';
import { type Frame, fromInbox } from '../../support/frames.ts';
import { snapshot } from '../../support/older-redis.ts';
import { patiently, sendPatiently } from '../../support/patiently.ts';
import { numbers, sendMany } from '../../support/sending.ts';

/** What happens when Redis comes back without its state, and history still has it. */

let cluster: Cluster;
beforeEach(async () => {
  cluster = await startCluster();
});
afterEach(() => cluster.stop());

/**
 * A user who first comes after a loss hears of a message in one of two ways: as an item, or, where the archive was
 * faster than the fanout, inside the gap that announces what history holds.
 */
async function hearsOf(device: Device, { conversation, seq, id }: Frame<'accepted'>['message']): Promise<void> {
  await device.until(
    'the message or its gap',
    () =>
      device.items.some(({ message }) => message.id === id) ||
      device.gaps.some((gap) => gap.conversation === conversation && gap.fromSeq <= seq && seq <= gap.toSeq),
  );
}

/** All of a conversation, oldest first, and what is named absent. */
async function whole(device: Device, conversation: string) {
  const seqs: number[] = [];
  const bodies: unknown[] = [];
  const absent: object[] = [];
  for (let after = 0; ; after = seqs.at(-1)!) {
    const page = await device.request({ type: 'history', conversation, after, limit: 100 }, 'history');
    seqs.push(...page.messages.map(({ seq }) => seq));
    bodies.push(...page.messages.map(({ body }) => body));
    absent.push(...page.absent);
    if (!page.more) return { seqs, bodies, absent };
  }
}

async function listOf(user: string): Promise<string[]> {
  const { status, body } = await cluster.http(cluster.token(user), 'GET', '/conversations');
  expect(status).toBe(200);
  return (body as { conversations: { id: string }[] }).conversations.map(({ id }) => id).sort();
}

type Before = { alice: Welcomed; bob: Welcomed; carol: string; direct: string; group: string };

/**
 * A direct conversation with 10 messages and a group with 6 messages and two changes: carol sees the seqs 3 to 6 of it.
 * All archived.
 */
async function filled(): Promise<Before> {
  const [alice, bob] = await Promise.all([cluster.connect('alice'), cluster.connect('bob')]);
  await sendMany(alice, { to: 'bob' }, 10);
  const direct = alice.all('accepted')[0]!.message.conversation;
  const group = 'group-1';
  const token = cluster.token('alice');
  expect(
    (await cluster.http(token, 'POST', '/conversations', { id: group, members: ['alice', 'bob'], name: 'The group' }))
      .status,
  ).toBe(201);
  await sendMany(alice, { conversation: group }, 2, 'before');
  expect((await cluster.http(token, 'PUT', `/conversations/${group}/members/carol`)).status).toBe(204);
  await sendMany(alice, { conversation: group }, 2, 'during');
  expect((await cluster.http(token, 'DELETE', `/conversations/${group}/members/carol`)).status).toBe(204);
  await sendMany(alice, { conversation: group }, 2, 'after');
  await cluster.settled();
  await bob.until('everything', () => bob.items.length === 18);
  bob.received(18);
  await bob.settle();
  await alice.settle();
  return { alice, bob, carol: 'carol', direct, group };
}

/** What must hold after the loss, for who comes back with the old epoch and position. */
async function checkAfter(before: Before, connect: (user: string, hello?: object) => Promise<Welcomed>): Promise<void> {
  const { epoch } = before.bob.welcome;
  const bob = await connect('bob', { position: 18, epoch });
  expect(bob.welcome).toMatchObject({ reset: true });
  expect(bob.welcome.epoch).not.toBe(epoch);
  expect(bob.welcome.head).toBeGreaterThan(18);
  if (bob.welcome.lostSince !== undefined) expect(bob.welcome.lostSince).toBeLessThanOrEqual(Date.now());
  const alice = await connect('alice', { epoch });
  expect(alice.welcome).toMatchObject({ reset: true, epoch: bob.welcome.epoch });

  expect(await listOf('alice')).toEqual([before.direct, before.group].sort());
  expect(await listOf('bob')).toEqual([before.direct, before.group].sort());
  expect(await listOf('carol')).toEqual([]);

  // Numbers go on above everything that was ever given, and what is void is named.
  const direct = await sendPatiently(alice, 'again-1', { to: 'bob' });
  const group = await sendPatiently(bob, 'again-2', { conversation: before.group });
  expect(direct.message.seq).toBeGreaterThan(10);
  expect(group.message.seq).toBeGreaterThan(8);
  for (const [conversation, last, seq] of [
    [before.direct, 10, direct.message.seq],
    [before.group, 8, group.message.seq],
  ] as const) {
    const { seqs, absent } = await whole(bob, conversation);
    expect(seqs).toEqual([...numbers(1, last), seq]);
    expect(absent).toEqual([{ fromSeq: last + 1, toSeq: seq - 1 }]);
  }

  // Bob hears of both conversations, and then of what is new; alice's own message is not pushed to her sending device.
  await bob.until('the new message', () => bob.items.some(({ message }) => message.id === direct.message.id));
  await alice.until('the new message', () => alice.items.some(({ message }) => message.id === group.message.id));
  for (const [conversation, last] of [
    [before.direct, 10],
    [before.group, 8],
  ] as const) {
    const covered = new Set(
      bob.gaps
        .filter((gap) => gap.conversation === conversation)
        .flatMap(({ fromSeq, toSeq }) => numbers(fromSeq, Math.min(toSeq, last) - fromSeq + 1)),
    );
    expect([...covered].sort((one, other) => one - other)).toEqual(numbers(1, last));
  }
  const places = bob.frames.flatMap((frame) =>
    frame.type === 'gap'
      ? [frame.position]
      : frame.type === 'deliver'
        ? fromInbox(frame.items).map(({ position }) => position)
        : [],
  );
  expect(Math.min(...places)).toBeGreaterThan(18);
  expect(places).toEqual([...places].sort((one, other) => one - other));

  // Spans are what they were.
  const carol = await connect('carol');
  expect((await whole(carol, before.group)).seqs).toEqual(numbers(3, 4));
  expect(
    await carol.request({ type: 'send', clientId: 'c', conversation: before.group, kind: 'text', body: 1 }, 'error'),
  ).toMatchObject({
    code: 'not_found',
  });
  // Nobody else got in.
  const mallory = await connect('mallory');
  expect(await mallory.request({ type: 'history', conversation: before.group }, 'error')).toMatchObject({
    code: 'not_found',
  });
}

/** Redis loses everything, and a request makes the gateway notice: by itself it would within 5 s. */
async function wiped(...devices: Welcomed[]): Promise<void> {
  await cluster.wipe();
  devices[0]!.send({ type: 'sync', after: 0 });
  await Promise.all(devices.map(({ closed }) => closed));
}

describe('Redis without its state', () => {
  test('while everything runs: open sockets are closed with 1012, nobody loses a conversation', async () => {
    const before = await filled();
    await cluster.wipe();
    expect(await Promise.all([before.alice.closed, before.bob.closed])).toMatchObject([{ code: 1012 }, { code: 1012 }]);
    await checkAfter(before, (user, hello) => patiently(cluster, user, hello));
  });

  test('is noticed by processes that start afterwards', async () => {
    const before = await filled();
    for (const line of ['web', 'fanout', 'archive']) await cluster.end(line);
    await cluster.wipe();
    await Promise.all(['web', 'fanout', 'archive'].map((line) => cluster.start(line)));
    await checkAfter(before, (user, hello) => patiently(cluster, user, hello));
  });

  test('no seq that somebody saw is given again, also when it was not archived', async () => {
    const alice = await cluster.connect('alice');
    const bob = await cluster.connect('bob');
    await sendMany(alice, { to: 'bob' }, 3);
    await cluster.settled();
    await cluster.end('archive', 'SIGKILL');
    await sendMany(alice, { to: 'bob' }, 4, 'unarchived');
    await bob.until('all of them', () => bob.items.length === 7);
    await wiped(alice, bob);
    await cluster.start('archive');

    const again = await patiently(cluster, 'alice', { epoch: alice.welcome.epoch });
    // The client sends again what it got accepted after `lostSince`, with the same clientIds.
    expect(again.welcome.lostSince).toBeLessThanOrEqual(alice.all('accepted')[3]!.message.at);
    const resent = await sendPatiently(again, 'unarchived-0', { to: 'bob' });
    expect(resent.message.seq).toBeGreaterThan(7);
    const { seqs, absent } = await whole(again, resent.message.conversation);
    expect(seqs).toEqual([1, 2, 3, resent.message.seq]);
    expect(absent).toEqual([{ fromSeq: 4, toSeq: resent.message.seq - 1 }]);
  });

  test('a send repeated with its clientId gets the message that history has, and does not wait', async () => {
    const [alice, carol] = [await cluster.connect('alice'), cluster.user('carol')];
    const group = cluster.user('group');
    expect(
      (await cluster.http(cluster.token('alice'), 'POST', '/conversations', { id: group, members: ['alice', carol] }))
        .status,
    ).toBe(201);
    const clientId = (i: number): string =>
      i % 2 === 0 ? `plain-${i}` : `00000000-${i.toString(16).padStart(4, '0')}-7abc-8def-0123456789ab`;
    const ids = Array.from({ length: 300 }, (_, i) => clientId(i));
    for (const target of [{ to: carol }, { conversation: group }]) {
      for (const id of ids) alice.send({ type: 'send', clientId: id, ...target, kind: 'text', body: id });
    }
    await alice.until('all accepted', () => alice.all('accepted').length === 600);
    const first = alice.all('accepted').map(({ message }) => message);
    await cluster.settled();
    expect(
      (await cluster.http(cluster.token(carol), 'DELETE', `/conversations/${group}/members/${carol}`)).status,
    ).toBe(204);
    await cluster.settled();
    await wiped(alice);

    const again = await patiently(cluster, 'alice');
    await sendPatiently(again, ids[0]!, { to: carol });
    await sendPatiently(again, ids[0]!, { conversation: group });
    for (const target of [{ to: carol }, { conversation: group }]) {
      for (const id of ids) again.send({ type: 'send', clientId: id, ...target, kind: 'text', body: id });
    }
    await again.until('all answered', () => again.all('accepted').length + again.all('error').length >= 602);
    const answers = again.all('accepted').slice(-600);
    const sorted = (list: object[]): string[] => list.map((one) => JSON.stringify(one)).sort();
    expect(sorted(answers.map(({ message, duplicate }) => ({ ...message, duplicate })))).toEqual(
      sorted(first.map((message) => ({ ...message, duplicate: true }))),
    );
    expect(
      await again.request({ type: 'send', clientId: ids[0], to: carol, kind: 'text', body: 'other' }, 'error'),
    ).toMatchObject({ code: 'conflict' });
    const fresh = await again.request(
      { type: 'send', clientId: 'fresh', to: carol, kind: 'text', body: 1 },
      'accepted',
    );
    expect(fresh.duplicate).toBeUndefined();
    expect(fresh.message.seq).toBeGreaterThan(1_000_000);
  });

  test('a message sent again with its UUIDv7 is the one that history has', async () => {
    const alice = await cluster.connect('alice');
    const time = Date.now().toString(16).padStart(12, '0');
    const clientId = `${time.slice(0, 8)}-${time.slice(8)}-7abc-8def-0123456789ab`;
    const first = await alice.request({ type: 'send', clientId, to: 'bob', kind: 'text', body: 'x' }, 'accepted');
    await cluster.settled();
    await wiped(alice);
    const again = await patiently(cluster, 'alice');
    const second = await again.request({ type: 'send', clientId, to: 'bob', kind: 'text', body: 'x' }, 'accepted');
    expect(second).toMatchObject({ message: first.message, duplicate: true });
    expect(await again.request({ type: 'send', clientId, to: 'bob', kind: 'text', body: 'y' }, 'error')).toMatchObject({
      code: 'conflict',
    });
  });

  test('is one loss: a process that starts afterwards finds no other one', async () => {
    const { bob } = await filled();
    await wiped(bob);
    const again = await patiently(cluster, 'bob', { epoch: bob.welcome.epoch });
    for (const line of ['fanout', 'archive']) {
      await cluster.end(line);
      await cluster.start(line);
    }
    await again.settle();
    expect(
      (await cluster.log('fanout')).concat(await cluster.log('archive')).filter(({ event }) => event === 'state_lost'),
    ).toEqual([]);
    expect((await cluster.connect('bob', { device: 'other' })).welcome.epoch).toBe(again.welcome.epoch);
  });

  test('a client of the new epoch is not reset again', async () => {
    const alice = await cluster.connect('alice');
    await sendMany(alice, { to: 'bob' }, 2);
    await cluster.settled();
    await wiped(alice);
    const bob = await patiently(cluster, 'bob', { epoch: alice.welcome.epoch, position: 2 });
    const gap = await bob.find('gap');
    bob.received(gap.position);
    await bob.settle();
    await bob.close();
    const again = await cluster.connect('bob', { epoch: bob.welcome.epoch });
    expect(again.welcome.reset).toBeUndefined();
    expect(again.welcome.position).toBe(gap.position);
    await again.settle();
    expect(again.gaps).toEqual([]);
  });

  test('twice in a row is two losses, and no seq is given again', async () => {
    const first = await cluster.connect('alice');
    await sendMany(first, { to: 'bob' }, 2);
    await cluster.settled();
    await wiped(first);
    const second = await patiently(cluster, 'alice');
    const between = await sendPatiently(second, 'between', { to: 'bob' });
    await cluster.settled();
    await wiped(second);
    const third = await patiently(cluster, 'alice', { epoch: second.welcome.epoch });
    expect(third.welcome.reset).toBe(true);
    const last = await sendPatiently(third, 'last', { to: 'bob' });
    const { seqs, absent } = await whole(third, last.message.conversation);
    expect(seqs).toEqual([1, 2, between.message.seq, last.message.seq]);
    expect(absent).toEqual([
      { fromSeq: 3, toSeq: between.message.seq - 1 },
      { fromSeq: between.message.seq + 1, toSeq: last.message.seq - 1 },
    ]);
    const bob = await cluster.connect('bob');
    await hearsOf(bob, last.message);
  });
});

describe('Redis that comes back older than it was', () => {
  test('gives no number again, and what history knows of members counts', async () => {
    const alice = await cluster.connect('alice');
    const token = cluster.token('alice');
    const members = '/conversations/group-1/members';
    expect(
      (await cluster.http(token, 'POST', '/conversations', { id: 'group-1', members: ['alice', 'carol'] })).status,
    ).toBe(201);
    await sendMany(alice, { conversation: 'group-1' }, 2, 'kept');
    await cluster.settled();
    const restore = await snapshot(cluster);
    expect((await cluster.http(token, 'DELETE', `${members}/carol`)).status).toBe(204);
    expect((await cluster.http(token, 'PUT', `${members}/dora`)).status).toBe(204);
    await sendMany(alice, { conversation: 'group-1' }, 2, 'lost');
    await cluster.settled();
    for (const line of ['web', 'fanout', 'archive']) await cluster.end(line);
    await restore();
    await Promise.all(['web', 'fanout', 'archive'].map((line) => cluster.start(line)));

    const again = await patiently(cluster, 'alice', { epoch: alice.welcome.epoch, position: 6 });
    expect(again.welcome.reset).toBe(true);
    const next = await sendPatiently(again, 'next', { conversation: 'group-1' });
    expect(next.message.seq).toBeGreaterThan(6);
    expect(await whole(again, 'group-1')).toMatchObject({
      seqs: [...numbers(1, 6), next.message.seq],
      absent: [{ fromSeq: 7, toSeq: next.message.seq - 1 }],
    });
    const [carol, dora] = [await cluster.connect('carol'), await cluster.connect('dora')];
    expect((await whole(carol, 'group-1')).seqs).toEqual([1, 2, 3]);
    expect(
      await carol.request({ type: 'send', clientId: 'c', conversation: 'group-1', kind: 'text', body: 1 }, 'error'),
    ).toMatchObject({ code: 'not_found' });
    expect((await whole(dora, 'group-1')).seqs).toEqual([4, 5, 6, next.message.seq]);
    await hearsOf(dora, next.message);
    await carol.settle();
    expect(carol.items.every(({ message }) => message.seq <= 3)).toBe(true);
    expect(await listOf('carol')).toEqual([]);
    expect(await listOf('dora')).toEqual(['group-1']);
  });
});
