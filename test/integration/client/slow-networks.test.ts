import { afterAll, beforeAll, expect, type TestContext, test, vi } from 'vitest';
import type { WebSocketConstructor } from '../../../sdk/src/platform/web-socket.ts';
import { openOnNetwork, synced } from '../../support/client-on-network.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { filteredWebSocket } from '../../support/filtered-web-socket.ts';
import { sendMany } from '../../support/sending.ts';

/** A network of 5 kB/s and 400 ms there and back. */

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ archive: false });
});
afterAll(() => cluster.stop());

const text = 'x'.repeat(500);
const oneWayMs = 200;
const bytesPerSecond = 5000;

/** Bob's client on that network, with a backlog. `items` are all that came, repeated ones too. */
async function slowClient({ onTestFinished }: TestContext, backlog: number, webSocket?: WebSocketConstructor) {
  const alice = await cluster.connect(cluster.user('alice'));
  const bob = cluster.user('bob');
  await sendMany(alice, bob, backlog, 'm', () => text);
  await cluster.settled('inbox');
  const opened = await openOnNetwork(cluster, bob, webSocket === undefined ? {} : { webSocket }, onTestFinished);
  const { client, proxy } = opened;
  const seqs: number[] = [];
  const codes: (number | undefined)[] = [];
  client.on('message', ({ message }) => void (message.sender === alice.welcome.user && seqs.push(message.seq)));
  client.on('state', ({ code }) => codes.push(code));
  proxy.delay(oneWayMs);
  proxy.throttle(bytesPerSecond);
  await client.connect();
  return { ...opened, alice: alice.welcome.user, seqs, codes };
}

const rising = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);

// Both tests wait for the network alone, so they wait at the same time.
test.concurrent('a backlog gets through, no item comes twice, and own messages need not wait', async (context) => {
  const backlog = 400;
  const { client, alice, seqs, codes, faults } = await slowClient(context, backlog);
  const begun = performance.now();
  const { accepted } = client.direct(alice).send('own');
  await accepted;
  const own = performance.now() - begun;
  expect(client.status.get().synced).toBe(false);
  await synced(client, 240_000);
  // 3 s where nothing else is busy.
  expect(own).toBeLessThan(20_000);
  expect(seqs).toEqual(rising(backlog));
  expect(codes).not.toContain(4410);
  expect(faults).toEqual([]);
}, 300_000);

test.concurrent('without the feature `paced` a backlog gets through as well', async (context) => {
  const backlog = 200;
  const withoutPaced = filteredWebSocket((frame) => {
    if (frame.type !== 'welcome') return frame;
    return { ...frame, features: (frame['features'] as string[]).filter((one) => one !== 'paced') };
  });
  const { client, seqs, count } = await slowClient(context, backlog, withoutPaced);
  await vi.waitFor(() => expect(new Set(seqs).size).toBe(backlog), { timeout: 280_000 });
  await synced(client, 60_000);
  expect(count('out', 'sync')).toBeGreaterThan(0);
}, 350_000);
