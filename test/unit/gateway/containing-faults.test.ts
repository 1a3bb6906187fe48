import { once } from 'node:events';
import { Hono } from 'hono';
import type { Redis } from 'ioredis';
import { afterEach, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { HttpEnv } from '../../../gateway/http/context.ts';
import { createConnectionBounds } from '../../../gateway/limits/connection-bounds.ts';
import { createHintHere } from '../../../gateway/push/hints.ts';
import { createPushReceiver } from '../../../gateway/push/push-receiver.ts';
import { createServer } from '../../../gateway/server.ts';
import { createReceivedPositions } from '../../../gateway/session/received-positions.ts';
import type { Session } from '../../../gateway/session/session.ts';
import type { Connection, Dispatch } from '../../../gateway/socket/connection.ts';
import { createRegistry } from '../../../gateway/socket/registry.ts';
import { healthRoutes } from '../../../shared/process/health.ts';
import { createKeys } from '../../../shared/redis/keys.ts';
import { createMessages } from '../../../shared/redis/streams/messages.ts';
import { createPartitionLeases } from '../../../workers/stream/partition-leases.ts';
import { noting } from '../../support/noting.ts';

/**
 * Each part is given something that throws, where it hands work on: what that belongs to ends, is counted, and the rest
 * goes on.
 */

const keys = createKeys('t', 1, 1);
function bug(): never {
  throw new TypeError('a bug');
}
const log = { debug() {}, info() {}, warn() {}, error() {} };

const closers: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/**
 * A real gateway's door over a dispatch of the test's own; `say` sends one frame on a new socket and resolves with its
 * close code.
 */
async function door(dispatch: Partial<Dispatch>, fetch?: () => never) {
  const noted = noting();
  const registry = createRegistry();
  const app = new Hono<HttpEnv>();
  if (fetch !== undefined) app.onError(fetch);
  app.get('/v1/ws', (context) => {
    fetch?.();
    context.env.upgrade!.accepted = true;
    return context.body(null, 200);
  });
  const whole: Dispatch = {
    hello: async () => undefined,
    send: async () => '',
    received: async () => undefined,
    typing: async () => undefined,
    request: async () => '',
    refused: () => true,
    faulted: noted.faults.note,
    closing: () => undefined,
    closed: async (connection) => registry.remove(connection),
    ...dispatch,
  };
  const bounds = createConnectionBounds({
    most: 0,
    mostUnauthenticated: 0,
    trustProxy: false,
    addressOf: () => '127.0.0.1',
    refused: () => undefined,
  });
  const server = createServer({
    bounds,
    app,
    dispatch: whole,
    registry,
    maxFrameBytes: 65_536,
    drainMs: 200,
    faults: noted.faults,
  });
  const port = await server.listen('127.0.0.1', 0);
  closers.push(() => server.close());
  async function open(): Promise<WebSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/ws`);
    closers.push(() => socket.terminate());
    await once(socket, 'open');
    return socket;
  }
  return { ...noted, registry, port, open };
}

const hello = JSON.stringify({ type: 'hello', token: 't', device: 'd' });

test.each<[string, Partial<Dispatch>]>([
  ['hello', { hello: bug }],
  ['a refusal', { hello: async () => bug(), refused: bug }],
])('a fault in %s closes that socket with 1011', async (_, dispatch) => {
  const { open, counted } = await door(dispatch);
  const [socket, other] = [await open(), await open()];
  socket.send(hello);
  const [code] = (await once(socket, 'close')) as [number];
  expect(code).toBe(1011);
  expect(other.readyState).toBe(WebSocket.OPEN);
  expect(await counted('socket')).toBeGreaterThan(0);
});

test('a fault in closing closes the socket all the same', async () => {
  const { open, counted } = await door({ closed: bug });
  const socket = await open();
  socket.send('x');
  expect(((await once(socket, 'close')) as [number])[0]).toBe(4401);
  expect(await counted('socket')).toBe(1);
});

test('a fault of one session in the sweep closes that one, and the others are looked at', async () => {
  const { open, registry, counted } = await door({});
  const [first, second] = [await open(), await open()];
  const reminded = vi.fn<(now: number) => void>();
  const [one, other] = [...registry.all] as [Connection, Connection];
  const rights = { expiresAt: Date.now() + 60_000, service: false };
  one.welcome({ user: 'a', remind: bug, end() {} } as unknown as Session, rights);
  other.welcome({ user: 'b', remind: reminded, end() {} } as unknown as Session, rights);
  expect(((await once(first, 'close')) as [number])[0]).toBe(1011);
  await vi.waitFor(() => expect(reminded).toHaveBeenCalled());
  expect(second.readyState).toBe(WebSocket.OPEN);
  expect(await counted('timer')).toBe(1);
});

test('a fault in what decides about an upgrade refuses that upgrade', async () => {
  const { port, counted } = await door({}, bug);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/ws`);
  await once(socket, 'error');
  expect(await counted('upgrade')).toBe(1);
});

test.each(['deliver', 'heard', 'flush', 'pushAgain'] as const)(
  'a session whose `%s` throws is closed, the next one gets its push',
  async (method) => {
    const { metrics, faults, counted } = noting();
    const registry = createRegistry();
    const got: string[] = [];
    const connect = (device: string, broken: boolean) => {
      const note = (name: string) => async () => void got.push(`${device} ${name}`);
      const session = {
        user: 'bob',
        device,
        id: device,
        deliver: note('deliver'),
        heard: note('heard'),
        flush: note('flush'),
        hint: note('hint'),
        pushAgain: note('pushAgain'),
        ...(broken ? { [method]: method === 'pushAgain' ? async () => bug() : bug } : {}),
      };
      const connection = {
        session,
        faulted: (thrown: unknown, where: 'push') => {
          faults.note(where, thrown);
          got.push(`${device} ended`);
        },
      };
      registry.attach(connection as unknown as Connection & { session: Session });
    };
    connect('broken', true);
    connect('sound', false);
    const receiver = createPushReceiver(
      registry,
      { pass() {}, flush() {}, reviewSoon() {}, membersAt: () => [] },
      createHintHere(registry, metrics),
      () => undefined,
      () => undefined,
      metrics,
      { stored: () => undefined, found: () => undefined },
      () => undefined,
      () => undefined,
    );
    receiver.deliver('{"id":"1-1-0","conversation":"c","seq":1,"at":1,"body":1}', 'alice', '*', [
      { user: 'bob', position: 1 },
    ]);
    receiver.head('bob', 2);
    receiver.hint('{"type":"read"}', ['bob'], null);
    receiver.again('bob', 'broken', 0);
    receiver.again('bob', 'sound', 0);
    receiver.flush();
    await vi.waitFor(() => expect(got).toContain('broken ended'));
    expect(got).toEqual(
      expect.arrayContaining(['sound deliver', 'sound heard', 'sound hint', 'sound flush', 'sound pushAgain']),
    );
    // What was touched is forgotten, or the next payload would meet the fault again.
    const before = await counted('push');
    receiver.flush();
    expect(await counted('push')).toBe(before);
  },
);

test('a fault in writing received positions does not stop the next ones', async () => {
  const { faults, counted } = noting();
  const written: number[] = [];
  let group = bug as () => number;
  const receivedPositions = createReceivedPositions(
    { advance: async (moves) => moves.map(({ position }) => (written.push(position), 'moved' as const)) },
    { groupOf: () => group() },
    'g',
    log,
    faults,
    () => undefined,
  );
  const session = { user: 'bob', epoch: 'e', device: 'd', id: '1' } as Session;
  receivedPositions.advance(session, 1);
  await receivedPositions.flush();
  group = () => 0;
  receivedPositions.advance(session, 2);
  await receivedPositions.flush();
  expect(written).toEqual([2]);
  expect(await counted('timer')).toBe(1);
});

test('an answer of Redis that cannot be read refuses its sends, and the partition goes on', async () => {
  const replies: unknown[] = [null, ['1 5-0', '0']];
  const redis = { evalsha: async () => replies.shift() } as unknown as Redis;
  const messages = createMessages(
    redis,
    keys,
    { dedupeMs: 1, mostUnsettled: 1, mostInInboxes: 1, gateway: 'g' },
    { load: bug, lookup: bug, closed: bug, seen: () => undefined },
  );
  const send = {
    conversation: 'c',
    sender: 'a',
    clientId: 'x',
    fingerprint: '',
    right: 'member',
    users: '',
    device: '*',
    class: 'normal',
    made: 0,
    tail: '',
  } as Parameters<typeof messages.accept>[0];
  await expect(messages.accept(send)).rejects.toMatchObject({ code: 'unknown_outcome' });
  await expect(messages.accept(send)).resolves.toMatchObject({ seq: 1 });
});

test('a partition that cannot be given up does not end the turns of its owner', async () => {
  const { faults, counted } = noting();
  let held = 1;
  const redis = {
    evalsha: async (_sha: string, _count: number, key: string) => (key === keys.roster('inbox') ? 1 : held),
  } as unknown as Redis;
  const started: number[] = [];
  const leases = createPartitionLeases(
    redis,
    keys,
    'me',
    'inbox',
    (partition) => {
      started.push(partition);
      return { stop: async () => (started.length === 1 ? bug() : undefined) };
    },
    log,
    faults,
  );
  await vi.waitFor(() => expect(started).toEqual([0]));
  held = 0;
  await vi.waitFor(() => expect(leases.partitions()).toEqual([]), { timeout: 4000 });
  held = 1;
  await vi.waitFor(() => expect(started).toEqual([0, 0]), { timeout: 4000 });
  await leases.stop();
  expect(await counted('timer')).toBeLessThanOrEqual(1);
});

test('a fault in a health route is answered, and counted', async () => {
  const { faults, metrics, counted } = noting();
  const routes = healthRoutes(bug, metrics.registry, faults);
  const answer = await routes.request('/readyz');
  expect(answer.status).toBe(500);
  expect(await answer.json()).toMatchObject({ error: { code: 'internal' } });
  expect(await counted('request')).toBe(1);
});
