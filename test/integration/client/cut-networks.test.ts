import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openOnNetwork, synced } from '../../support/client-on-network.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { filteredWebSocket } from '../../support/filtered-web-socket.ts';
import { fillInbox } from '../../support/inbox.ts';
import { playedEnvironment } from '../../support/played-environment.ts';

/** Networks that are cut, swallow everything, or are away for a while. */

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ archive: false, env: { INBOX_MAX_ENTRIES: '6000' } });
});
afterAll(() => cluster.stop());

// On a busy machine a cut may come while two pages are on their way. Two times in a row that is no accident.
const cutTest = { timeout: 120_000, retry: 1 };

test(
  'a backlog that is cut twenty times in the middle of a page is stored once, and hardly read twice',
  cutTest,
  async () => {
    const backlog = 5000;
    const { bob } = await fillInbox(cluster, backlog);
    const { client, proxy, count } = await openOnNetwork(cluster, bob, { random: () => 0 });
    const stored = new Map<number, number>();
    let items = 0;
    let cuts = 0;
    client.on('message', ({ message: { seq }, first }) => {
      items++;
      if (first) stored.set(seq, (stored.get(seq) ?? 0) + 1);
    });
    // The next page is on its way then: a slow network has passed on a part of it.
    proxy.throttle(400_000, 'reply');
    const pages = (): number => count('in', 'deliver') + count('in', 'page');
    let seen = 0;
    const stop = client.on('message', () => {
      if (cuts >= 20 || pages() === seen) return;
      seen = pages();
      cuts++;
      setTimeout(() => proxy.cut(), Math.random() * 100);
    });
    await client.connect();
    await vi.waitFor(() => expect(stored.size).toBe(backlog), { timeout: 110_000 });
    stop();
    expect(cuts).toBe(20);
    expect([...stored.values()].every((times) => times === 1)).toBe(true);
    expect(items).toBeLessThanOrEqual(1.05 * backlog + 20 * 200);
  },
);

test('a page that was offline goes on with its socket, without another hello', async () => {
  const { environment, report } = playedEnvironment();
  const { client, proxy, count } = await openOnNetwork(cluster, cluster.user('bob'), { environment });
  await client.connect();
  await synced(client);
  report('offline');
  expect(client.status.get()).toMatchObject({ state: 'waiting', reason: 'offline', quality: 'offline' });
  const pings = count('out', 'ping');
  report('online');
  await vi.waitFor(() => expect(client.status.get().state).toBe('connected'), { timeout: 10_000 });
  expect(count('out', 'ping')).toBe(pings + 1);
  expect(count('out', 'hello')).toBe(1);

  proxy.blackhole();
  report('offline');
  const again = new Promise<void>((resolve) => {
    client.on('state', ({ state }) => void (state === 'connecting' && resolve()));
  });
  report('online');
  // The socket does not answer the probe.
  await again;
  const mended = performance.now();
  proxy.pass();
  await vi.waitFor(() => expect(client.status.get().state).toBe('connected'), { timeout: 20_000 });
  expect(performance.now() - mended).toBeLessThan(15_000);
  expect(count('out', 'hello')).toBeGreaterThan(1);
});

test('a message whose push was lost is found by asking, before it is pushed again', async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const { environment, report } = playedEnvironment();
  const sender = await openOnNetwork(cluster, alice);
  const webSocket = filteredWebSocket((frame) => (frame.type === 'deliver' ? null : frame));
  const { client, count, faults } = await openOnNetwork(cluster, bob, { webSocket, environment });
  await Promise.all([sender.client.connect(), client.connect()]);
  await synced(client);
  await sender.client.direct(bob).send('lost').accepted;
  await cluster.settled('inbox');
  report('visible');
  const bodies = (): unknown[] =>
    client
      .direct(alice)
      .messages.get()
      .items.map((item) => ('body' in item ? item.body : item));
  await vi.waitFor(() => expect(bodies()).toEqual(['lost']), { timeout: 20_000 });
  expect(count('out', 'sync')).toBeGreaterThan(0);
  expect(count('in', 'deliver')).toBe(0);
  expect(faults).toEqual([]);
});
