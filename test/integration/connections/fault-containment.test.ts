import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { openRaw, rawFrame, text } from '../../support/raw-socket.ts';

/** What one connection or one payload does wrong is its own affair: the process lives, and others are served. */

let cluster: Cluster;
let alice: Welcomed;
let bob: Welcomed;
beforeAll(async () => {
  cluster = await startCluster({ archive: false });
  alice = await cluster.connect(cluster.user('alice'));
  bob = await cluster.connect(cluster.user('bob'));
});
afterAll(() => cluster.stop());

let sent = 0;
/** Two others, connected from the start, still send and receive. */
async function othersAreServed(): Promise<void> {
  const body = `still here ${++sent}`;
  alice.send({ type: 'send', clientId: `still-${sent}`, to: bob.welcome.user, kind: 'text', body });
  await bob.until(body, () => bob.bodies.includes(body));
}

const faultsAt = async (where: string): Promise<number> =>
  Number(
    new RegExp(`^restante_faults_total\\{.*where="${where}".*\\} (\\d+)`, 'm').exec(
      await cluster.metrics('web-1'),
    )?.[1] ?? 0,
  );

const hello = (user: string) =>
  rawFrame(text, JSON.stringify({ type: 'hello', token: cluster.token(user), device: 'raw' }));

test.each([3, 4, 40])(
  'a hello with %i words of abuse behind it in one write ends that connection alone',
  async (words) => {
    const raw = await openRaw(cluster.url());
    raw.write(
      Buffer.concat([hello(cluster.user('mallory')), ...Array.from({ length: words }, () => rawFrame(text, 'x'))]),
    );
    expect(await raw.closed).toBe(4400);
    await othersAreServed();
  },
);

test('so does a wrong token with more frames behind it', async () => {
  const raw = await openRaw(cluster.url());
  raw.write(
    Buffer.concat([
      rawFrame(text, '{"type":"hello","token":"no","device":"raw"}'),
      rawFrame(text, '{"type":"ping"}'),
      rawFrame(text, 'x'),
      rawFrame(text, '{"type":"ping"}'),
    ]),
  );
  expect(await raw.closed).toBe(4401);
  await othersAreServed();
});

test('a reader that becomes too slow by refusals alone is closed, whatever it had asked before', async () => {
  const raw = await openRaw(cluster.url());
  raw.write(hello(cluster.user('mallory')));
  raw.socket.pause();
  // Each is answered with an error that nobody reads. The ids make the answers long.
  const wrong = rawFrame(text, JSON.stringify({ type: 'history', id: 'i'.repeat(64), conversation: 'c', limit: -1 }));
  const many = Buffer.concat(Array.from({ length: 500 }, () => wrong));
  const gone = new Promise((resolve) => raw.socket.once('close', resolve));
  let open = true;
  void gone.then(() => (open = false));
  raw.socket.on('error', () => undefined);
  while (open && !(await closedByServer(4410)))
    await new Promise<void>((resolve) => raw.socket.write(many, () => resolve()));
  raw.socket.resume();
  await gone;
  await othersAreServed();
});

const closedByServer = async (code: number): Promise<boolean> =>
  new RegExp(`^restante_closed_total\\{.*code="${code}".*\\} [1-9]`, 'm').test(await cluster.metrics('web-1'));

test.each([
  ['an unknown kind', 'Z\nwhatever', 1],
  ['nothing', '', 1],
  ['a kind alone', 'C', 1],
  ['heads of nothing', 'H', 1],
  ['an attempt without a device', 'A', 1],
  ['members without a line', 'M', 1],
  ['a delivery without recipients', 'D\nalice phone\n{}', 1],
  ['a delivery of words to nobody', 'D\nalice phone nobody:1\nno JSON', 0],
])("a payload of %s on the gateway's channel harms nobody", async (_, payload, faults) => {
  const { gateway } = await routeOf(alice);
  const before = await faultsAt('push');
  await cluster.redis.publish(cluster.keys.push(gateway), payload);
  await othersAreServed();
  expect(await faultsAt('push')).toBe(before + faults);
});

test('what is well in a payload is delivered, though something before it is not', async () => {
  const { gateway } = await routeOf(bob);
  const before = await faultsAt('push');
  const good = (position: number) =>
    JSON.stringify({
      id: 'm1',
      conversation: 'c',
      seq: 1,
      at: 1,
      sender: 'eve',
      clientId: 'x',
      kind: 'text',
      body: `by hand ${position}`,
      class: 'normal',
    });
  await othersAreServed();
  const next = bob.items.at(-1)!.position + 1;
  await cluster.redis.publish(
    cluster.keys.push(gateway),
    `D\neve -\n{}\neve - ${bob.welcome.user}:${next}\n${good(next)}`,
  );
  await bob.until('what came after it', () => bob.bodies.includes(`by hand ${next}`));
  expect(await faultsAt('push')).toBe(before + 1);
  expect((await cluster.log('web-1')).filter(({ event }) => event === 'fault').at(-1)).toMatchObject({
    where: 'push',
    stack: expect.stringContaining('at ') as string,
  });
});

async function routeOf(device: Welcomed): Promise<{ gateway: string }> {
  const routes = await cluster.redis.hget(cluster.keys.user(device.welcome.user), 'routes');
  return { gateway: routes!.split(' ')[0]! };
}

test('nothing of this has ended the process', async () => {
  const events = (await cluster.log('web-1')).map(({ event }) => event);
  expect(events.filter((event) => event === 'started')).toHaveLength(1);
  expect(events).not.toContain('failed');
});
