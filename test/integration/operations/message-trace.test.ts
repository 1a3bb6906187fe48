import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import type { Trace } from '../../../shared/message-trace/trace.ts';
import { edit, readAll, recall } from '../../support/amending.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';

let cluster: Cluster;
beforeAll(async () => {
  // So that every message takes all steps.
  cluster = await startCluster({ env: { ADMIN_TOKEN: 'the-token-of-the-desk', SHORT_WAY: '0' } });
});
afterAll(() => cluster.stop());

async function trace(
  id: string,
  query = '',
  of = cluster,
): Promise<{ status: number; body: Trace & { lines: string[]; error?: { code: string } } }> {
  const base = of.url().replace(/^ws/, 'http').replace('/v1/ws', '');
  const response = await fetch(`${base}/admin/api/trace/${id}${query}`, {
    headers: { authorization: 'Bearer the-token-of-the-desk' },
  });
  return { status: response.status, body: (await response.json()) as Trace & { lines: string[] } };
}

const sendTo = async (device: Welcomed, to: string, clientId = 'one') =>
  (await device.request({ type: 'send', clientId, to, kind: 'text', body: { secret: 'of the body' } }, 'accepted'))
    .message;

test('step by step: accepted, in inboxes, received, archived, trimmed', async () => {
  const [alice, bob] = await Promise.all([
    cluster.connect(cluster.user('alice')),
    cluster.connect(cluster.user('bob')),
  ]);
  const [from, to] = [alice.welcome.user, bob.welcome.user];
  await cluster.end('fanout');
  await cluster.end('archive');
  const sent = await sendTo(alice, to);
  expect((await trace(sent.id)).body).toMatchObject({
    id: sent.id,
    conversation: sent.conversation,
    seq: 1,
    sender: from,
    device: 'phone',
    at: sent.at,
    inStream: true,
    kind: 'text',
    fanout: { state: 'unread' },
    archive: { state: 'unread' },
    history: null,
    memberCount: 2,
    members: expect.arrayContaining([expect.objectContaining({ user: to, inbox: { state: 'not yet' } })]),
    deadLetters: [],
  });

  await cluster.start('fanout');
  await bob.find('deliver');
  await cluster.settled('inbox');
  const ofBob = async () => (await trace(sent.id)).body.members.find(({ user }) => user === to);
  expect(await ofBob()).toMatchObject({
    inbox: { state: 'held', position: 1 },
    devices: [{ device: 'phone', received: false, gateway: expect.any(String) }],
  });
  bob.send({ type: 'received', position: 1 });
  await vi.waitFor(async () => expect((await ofBob())?.devices[0]?.received).toBe(true), {
    timeout: 15_000,
    interval: 20,
  });

  await cluster.start('archive');
  await cluster.settled();
  expect((await trace(sent.id)).body).toMatchObject({
    inStream: true,
    archive: { state: 'settled' },
    history: { firstSeq: 1, lastSeq: 1 },
  });
  await cluster.start('jobs-1');
  const { partition, streamId } = (await trace(sent.id)).body;
  await vi.waitFor(
    async () => expect(await cluster.redis.xrange(cluster.keys.messages(partition), streamId, streamId)).toEqual([]),
    {
      timeout: 15_000,
      interval: 100,
    },
  );
  const trimmed = await trace(sent.id);
  expect(trimmed.body).toMatchObject({
    seq: 1,
    sender: from,
    inStream: false,
    device: null,
    fanout: { state: 'settled' },
    history: { firstSeq: 1, lastSeq: 1 },
  });
  expect((await trace(sent.id, `?conversation=${sent.conversation}`)).body).toEqual(trimmed.body);
  expect(JSON.stringify(trimmed.body)).not.toContain('secret');
}, 60_000);

test('a message that was cut from an inbox is in a gap', async () => {
  const [alice, bob] = [await cluster.connect(cluster.user('alice')), cluster.user('bob')];
  const sent = await sendTo(alice, bob);
  await cluster.settled();
  const { keys, redis } = cluster;
  await redis.xdel(keys.inbox(bob), '1-0');
  expect((await trace(sent.id)).body.members.find(({ user }) => user === bob)?.inbox).toEqual({ state: 'gone' });
  await redis.hset(keys.gaps(bob), sent.conversation, '1:1:1:1');
  expect((await trace(sent.id)).body.members.find(({ user }) => user === bob)?.inbox).toEqual({
    state: 'gap',
    fromSeq: 1,
    toSeq: 1,
    position: 1,
  });
});

test('an amended message, and its amendments', async () => {
  const alice = await cluster.connect(cluster.user('alice'));
  const to = { to: cluster.user('bob') };
  const sent = await sendTo(alice, to.to);
  await cluster.settled();
  expect((await trace(sent.id)).body).toMatchObject({ amends: null, amended: null });
  const idOf = async (seq: number): Promise<string> =>
    (await readAll(alice, to)).find((message) => message.seq === seq)!.id;
  await cluster.end('archive');
  const first = await idOf((await edit(alice, to, sent.seq, { secret: 'edited' })).amendSeq);
  expect((await trace(first)).body.amends).toEqual({ seq: 1, action: 'edit', version: 1, state: 'missing' });
  await cluster.start('archive');
  await cluster.settled();
  expect((await trace(first)).body.amends).toMatchObject({ state: 'in force' });
  const { amendSeq, at } = await recall(alice, to, sent.seq);
  const second = await idOf(amendSeq);
  await cluster.settled();
  expect((await trace(first)).body.amends).toMatchObject({ state: 'superseded' });
  expect((await trace(second)).body).toMatchObject({
    kind: 'restante.amend',
    amends: { seq: 1, action: 'recall', version: 2, state: 'in force' },
    amended: null,
  });
  const { body } = await trace(sent.id);
  const by = alice.welcome.user;
  expect(body.amended).toEqual({ action: 'recall', by, at, version: 2, amendSeq, stored: false });
  expect(body.lines).toContainEqual(
    `amended    recalled by ${by} ${new Date(at).toISOString()}, version 2, seq ${amendSeq}; ` +
      'an older body is still stored, and shown to nobody',
  );
  expect((await trace(second)).body.lines).toContainEqual('amends     seq 1: recall, version 2; in force');
  expect(JSON.stringify([body, (await trace(first)).body])).not.toContain('secret');
}, 60_000);

test('of what Redis has lost, nothing is said to be still coming', async () => {
  const lossy = await startCluster({ env: { ADMIN_TOKEN: 'the-token-of-the-desk' } });
  try {
    const alice = await lossy.connect('alice');
    const sent = await sendTo(alice, 'bob');
    await lossy.settled();
    await lossy.end('web');
    await lossy.wipe();
    await lossy.start('web');
    const { body } = await trace(sent.id, '', lossy);
    expect(body).toMatchObject({
      seq: 1,
      inStream: false,
      fanout: { state: 'lost' },
      archive: { state: 'lost' },
      history: { firstSeq: 1, lastSeq: 1 },
      members: expect.arrayContaining([expect.objectContaining({ user: 'bob', inbox: { state: 'unknown' } })]),
    });
    expect(body.lines.join('\n')).not.toMatch(/ yet|trimmed/);
    await lossy.connect('bob');
    const ofBob = (await trace(sent.id, '', lossy)).body.members.find(({ user }) => user === 'bob');
    expect(ofBob?.inbox).toMatchObject({ state: 'gap', fromSeq: 1, toSeq: 1 });
  } finally {
    await lossy.stop();
  }
}, 60_000);

test('a message of a large group is in no inbox, and nothing is said to be missing or lost', async () => {
  const large = await startCluster({ env: { ADMIN_TOKEN: 'the-token-of-the-desk', FANOUT_MAX_MEMBERS: '2' } });
  try {
    expect(
      (
        await large.http(large.token('alice'), 'POST', '/conversations', {
          id: 'square',
          members: ['alice', 'bob', 'carol'],
        })
      ).status,
    ).toBe(201);
    const alice = await large.connect('alice');
    const { message } = await alice.request(
      { type: 'send', clientId: 'c', conversation: 'square', kind: 'text', body: 1 },
      'accepted',
    );
    await large.settled();
    const ofBob = ({ body }: { body: Trace }) => body.members.find(({ user }) => user === 'bob')?.inbox;
    const before = await trace(message.id, '', large);
    expect(before.body).toMatchObject({ way: 'large', fanout: { state: 'settled' }, memberCount: 3 });
    expect(ofBob(before)).toEqual({ state: 'unannounced' });
    expect(before.body.lines.join('\n')).not.toMatch(/ yet|lost|unknown|not in the inbox any more/);
    const bob = await large.connect('bob');
    await bob.find('gap');
    expect(ofBob(await trace(message.id, '', large))).toMatchObject({
      state: 'gap',
      fromSeq: 1,
      toSeq: 1,
      position: 1,
    });
    await large.redis.xtrim(large.keys.messages(large.keys.partitionOf('square')), 'MAXLEN', 0);
    const trimmed = await trace(message.id, '', large);
    expect(trimmed.body).toMatchObject({ way: 'large', inStream: false });
    expect(trimmed.body.members.find(({ user }) => user === 'carol')?.inbox).toEqual({ state: 'unannounced' });
  } finally {
    await large.stop();
  }
}, 60_000);

test('a failed delivery is shown with its reason', async () => {
  const [alice, bob] = [await cluster.connect(cluster.user('alice')), cluster.user('bob')];
  await cluster.redis.set(cluster.keys.inbox(bob), 'not a stream');
  const sent = await sendTo(alice, bob);
  await cluster.settled();
  await cluster.redis.del(cluster.keys.inbox(bob));
  const { body } = await trace(sent.id);
  expect(body).toMatchObject({
    seq: 1,
    deadLetters: [{ reason: 'poison', error: expect.stringContaining('WRONGTYPE') }],
  });
  expect(body.members.find(({ user }) => user === bob)?.inbox).toMatchObject({ state: 'gap', fromSeq: 1, toSeq: 1 });
  expect(body.lines.at(-1)).toMatch(/^failure {4}poison .*WRONGTYPE/);
});

test('a malformed id is 400, an unknown one 404', async () => {
  for (const id of ['x', '99-1-1', '1', '0-1', '0-1-1-1', '0--1-1'])
    expect(await trace(id)).toMatchObject({ status: 400, body: { error: { code: 'bad_request' } } });
  expect(await trace('0-1767225600000-0')).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } });
  expect(await trace('0-1767225600000-0', '?conversation=a%20b')).toMatchObject({ status: 400 });
});

test('the command line prints the same steps', async () => {
  const [alice, bob] = [await cluster.connect(cluster.user('alice')), cluster.user('bob')];
  const sent = await sendTo(alice, bob);
  await cluster.settled();
  const run = (id: string) =>
    promisify(execFile)(process.execPath, ['cli/main.ts', 'trace', id], {
      env: { ...process.env, REDIS_URL: inject('redisUrl'), KEY_PREFIX: cluster.prefix, DATA_DIR: cluster.dir },
    });
  const { stdout } = await run(sent.id);
  expect(stdout).toContain(`conversation ${sent.conversation}  seq 1  from ${alice.welcome.user}`);
  expect(stdout).toContain(`member     ${bob}: position 1`);
  expect(stdout).toContain('history    block of seqs 1-1');
  await expect(run('0-1767225600000-0')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('no such message'),
  });
});
