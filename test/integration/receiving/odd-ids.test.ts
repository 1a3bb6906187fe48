import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';

/** Ids that some code could take for "none", for a separator or for a part of every object. */
const oddIds = ['-', '--', '_', '0', '__proto__', 'constructor'];

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, env: { FANOUT_MAX_MEMBERS: '25' } });
});
afterAll(() => cluster.stop());

async function post(token: string, body: object): Promise<void> {
  const { status } = await cluster.http(token, 'POST', '/messages', { kind: 'text', ...body });
  expect(status).toBe(201);
}

const clientIds = (device: Welcomed): string[] => device.pushed.map(({ message }) => message.clientId);
const got = (device: Welcomed, clientId: string) =>
  device.until(`${clientId} at ${device.welcome.device}`, () => clientIds(device).includes(clientId));

/** A group of this many members; nobody but the user has to be there. */
async function group(user: string, members: number): Promise<string> {
  const id = cluster.user('group');
  const others = Array.from({ length: members - 1 }, () => cluster.user('other'));
  const { status } = await cluster.http(cluster.token(user), 'POST', '/conversations', {
    id,
    members: [user, ...others],
  });
  expect(status).toBe(201);
  await cluster.settled('inbox');
  return id;
}

const connectAll = (user: string): Promise<Welcomed[]> =>
  Promise.all(oddIds.map((device, i) => cluster.connect(user, { device, gateway: (i % 2) + 1 })));

/**
 * A direct conversation and a small group are pushed by the appending script, a larger one by the fanout, a large one
 * on its own channel.
 */
describe.each([
  ['a direct conversation', 0],
  ['a small group', 3],
  ['a group of 20', 20],
  ['a large group', 30],
] as const)('in %s', (_, members) => {
  test('a message that no device sent comes to every device, whatever its name', async () => {
    const user = cluster.user('odd');
    const where = members === 0 ? { to: cluster.user('other') } : { conversation: await group(user, members) };
    const devices = await connectAll(user);
    await post(cluster.token(user), { ...where, clientId: 'by-http', body: 1 });
    await post(cluster.token('back-end', { scope: 'service' }), {
      ...where,
      sender: user,
      clientId: 'by-service',
      body: 2,
    });
    await Promise.all(devices.flatMap((device) => [got(device, 'by-http'), got(device, 'by-service')]));
  });

  test('a message of one device comes to all others, and to that one by its inbox alone', async () => {
    const user = cluster.user('odd');
    const where = members === 0 ? { to: cluster.user('other') } : { conversation: await group(user, members) };
    const devices = await connectAll(user);
    for (const sender of devices) {
      const clientId = `of${sender.welcome.device}`;
      await sender.request({ type: 'send', clientId, ...where, kind: 'text', body: 1 }, 'accepted');
      await Promise.all(devices.filter((device) => device !== sender).map((device) => got(device, clientId)));
      expect(clientIds(sender)).not.toContain(clientId);
    }
  });

  test('a change of members comes to every device', async () => {
    if (members === 0) return;
    const user = cluster.user('odd');
    const id = await group(user, members);
    const devices = await connectAll(user);
    const { status } = await cluster.http(
      cluster.token(user),
      'PUT',
      `/conversations/${id}/members/${cluster.user('new')}`,
    );
    expect(status).toBe(204);
    await Promise.all(devices.map((device) => device.until('the change', () => device.pushed.length === 1)));
  });
});

test('users and groups of such names get what is sent to them', async () => {
  const devices = await Promise.all(oddIds.map((user) => cluster.connect(user, { device: user })));
  for (const id of oddIds) {
    const { status } = await cluster.http(cluster.token(id), 'POST', '/conversations', { id, members: oddIds });
    expect(status).toBe(201);
    await post(cluster.token(id), { conversation: id, clientId: `group${id}`, body: 1 });
    for (const other of oddIds) await post(cluster.token(id), { to: other, clientId: `from${id}`, body: 1 });
  }
  // Of six groups, from six users (oneself too), and what it wrote to the five others.
  for (const device of devices) await device.until('all of it', () => device.pushed.length === 17);
});
