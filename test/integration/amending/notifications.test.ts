import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Digest } from '../../../workers/notifications/digest.ts';
import { edit, recall, say } from '../../support/amending.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { waitsForNotification } from '../../support/inbox.ts';
import { type Receiver, startReceiver } from '../../support/webhook.ts';

/** Nobody is notified of an amendment, and what was recalled is in no digest. */

const afterMs = 1000;
let cluster: Cluster;
let receiver: Receiver;
let alice: Welcomed;
beforeAll(async () => {
  receiver = await startReceiver((_call, response) => void response.writeHead(204).end());
  cluster = await startCluster({
    jobs: true,
    env: {
      NOTIFY_URL: `${receiver.url}/hook`,
      NOTIFY_SECRET: `whsec_${randomBytes(24).toString('base64')}`,
      NOTIFY_AFTER_MS: String(afterMs),
      NOTIFY_WINDOW_MS: '2000',
    },
  });
  alice = await cluster.connect(cluster.user('alice'));
});
afterAll(async () => {
  await cluster.stop();
  await receiver.stop();
});

const nobodyWaits = (user: string) =>
  vi.waitFor(async () => expect(await waitsForNotification(cluster, user)).toBe(false), {
    timeout: 15_000,
    interval: 50,
  });
const digestOf = ({ body }: { body: string }) => JSON.parse(body) as Digest;

test('an amendment after the digest causes no second one', async () => {
  const bob = cluster.user('bob');
  const seq = await say(alice, { to: bob }, 'old');
  const [first] = await receiver.called(bob, 1);
  expect(digestOf(first!)).toMatchObject({ total: 1, conversations: [{ unread: 1, last: { body: 'old' } }] });
  await edit(alice, { to: bob }, seq, 'new');
  await recall(alice, { to: bob }, seq);
  await cluster.settled('inbox');
  // After the window the user is looked at once more, and found to have been told of everything.
  await nobodyWaits(bob);
  expect(receiver.callsFor(bob)).toHaveLength(1);
});

test('a recall before the digest leaves none', async () => {
  const bob = cluster.user('bob');
  const seq = await say(alice, { to: bob }, 'word that was recalled');
  await recall(alice, { to: bob }, seq);
  await cluster.settled('inbox');
  await nobodyWaits(bob);
  expect(receiver.callsFor(bob)).toEqual([]);
});

test('a digest has what counts, as it reads when it is sent', async () => {
  const bob = cluster.user('bob');
  const first = await say(alice, { to: bob }, 'first');
  const second = await say(alice, { to: bob }, 'word that was recalled');
  await edit(alice, { to: bob }, first, 'first, edited');
  await recall(alice, { to: bob }, second);
  const [call] = await receiver.called(bob, 1);
  expect(digestOf(call!)).toMatchObject({
    total: 1,
    conversations: [{ unread: 1, last: { seq: first, body: 'first, edited', amended: { version: 1 } } }],
  });
  expect(call!.body).not.toContain('recalled');
});
