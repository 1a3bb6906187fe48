import { afterAll, beforeAll, expect, type TestContext, test, vi } from 'vitest';
import type { Frame } from '../../../sdk/src/wire.ts';
import { openOnNetwork, synced } from '../../support/client-on-network.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { filteredWebSocket } from '../../support/filtered-web-socket.ts';

/** Many messages of one conversation, queued while there was no network. */

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ archive: false, fanout: false });
});
afterAll(() => cluster.stop());

const count = 100;
const numbers = Array.from({ length: count }, (_, at) => at + 1);
const without =
  (feature: string) =>
  (frame: Frame): Frame =>
    frame.type === 'welcome'
      ? { ...frame, features: (frame['features'] as string[]).filter((one) => one !== feature) }
      : frame;

/** The conversation as the server has it, by rising seq. */
async function bodiesOf(user: string, conversation: string): Promise<unknown[]> {
  const { body } = await cluster.http(
    cluster.token(user),
    'GET',
    `/conversations/${conversation}/messages?limit=100&after=0`,
  );
  return (body as { messages: { body: unknown }[] }).messages.map((message) => message.body);
}

async function queued({ onTestFinished }: TestContext, pass = (frame: Frame): Frame => frame) {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const { client, proxy } = await openOnNetwork(cluster, alice, { webSocket: filteredWebSocket(pass) }, onTestFinished);
  await client.connect();
  await synced(client);
  client.disconnect();
  const chat = client.direct(bob);
  const handles = numbers.map((body) => chat.send(body));
  await Promise.all(handles.map(({ stored }) => stored));
  // 400 ms there and back.
  proxy.delay(200);
  await client.connect();
  await vi.waitFor(() => expect(client.status.get().state).toBe('connected'), { timeout: 30_000, interval: 5 });
  const begun = performance.now();
  await Promise.all(handles.map(({ accepted }) => accepted));
  return { ms: performance.now() - begun, bodies: await bodiesOf(alice, chat.id), client };
}

// These two wait for the network alone, so they wait at the same time.
test.concurrent('a hundred messages take few round trips where the server keeps their order', async (context) => {
  const { ms, bodies, client } = await queued(context);
  expect(client.features).toContain('ordered-sends');
  expect(bodies).toEqual(numbers);
  // 13 round trips are 5.2 s. A busy machine has more time.
  expect(ms).toBeLessThan(25_000);
}, 60_000);

test.concurrent('they go one by one where it does not, in order as well', async (context) => {
  const { ms, bodies } = await queued(context, without('ordered-sends'));
  expect(bodies).toEqual(numbers);
  expect(ms).toBeGreaterThan(count * 400);
  expect(ms).toBeLessThan(90_000);
}, 120_000);

test('refusals in the middle of a chain change nothing about the order', async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const refused = new Set<unknown>();
  const { client, events } = await openOnNetwork(cluster, alice, {
    webSocket: filteredWebSocket(
      (frame) => frame,
      ({ type, id, clientId, body }) => {
        if (type !== 'send' || Number(body) % 7 !== 0 || refused.has(clientId)) return null;
        refused.add(clientId);
        return { type: 'error', re: id as string, clientId, code: 'retry_later', message: '', retryable: true };
      },
    ),
  });
  await client.connect();
  await synced(client);
  const chat = client.direct(bob);
  // The thirteenth is refused for good: its kind is the server's.
  const handles = numbers.map((body) => chat.send(body, body === 13 ? { kind: 'restante.own' } : {}));
  const outcomes = await Promise.allSettled(handles.map(({ accepted }) => accepted));
  expect(outcomes.flatMap(({ status }, at) => (status === 'rejected' ? [at + 1] : []))).toEqual([13]);
  expect(handles[12]!.status.get()).toMatchObject({ state: 'failed', fault: { code: 'bad_request' } });
  expect(await bodiesOf(alice, chat.id)).toEqual(numbers.filter((body) => body !== 13));
  expect(refused.size).toBe(14);
  expect(events.some(({ outcome }) => outcome === 'out_of_order')).toBe(true);
}, 90_000);
