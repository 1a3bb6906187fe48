import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Device, DeviceEvents, DeviceOptions } from '../../../sdk/src/api.ts';
import { fullJitter } from '../../../sdk/src/backoff.ts';
import { newClientId } from '../../../sdk/src/client-id.ts';
import { connect } from '../../../sdk/src/device.ts';
import type { Violation } from '../../../sdk/src/tracker.ts';
import type { Frame, Item } from '../../../sdk/src/wire.ts';
import { type Peer, type PlayedServer, playServer, welcome } from '../../support/played-server.ts';

/**
 * The device against a server that the test plays itself, frame by frame: what it does after refusals, closes, drains
 * and resets cannot be provoked at a real gateway at the wanted moment.
 */
let server: PlayedServer;
let url: string;
let devices: Device[];

beforeEach(async () => {
  devices = [];
  server = await playServer();
  url = server.url;
});

afterEach(async () => {
  await Promise.all(devices.map((device) => device.close()));
  await server.close();
});

const nextPeer = (): Promise<Peer> => server.nextPeer();

function open(options: DeviceOptions = {}, token: () => string = () => 'token'): Device {
  const device = connect(url, token, 'phone', { reconnect: { minMs: 5, maxMs: 20 }, receivedDelayMs: 20, ...options });
  devices.push(device);
  return device;
}

const greet = (fields: object = {}): Promise<{ peer: Peer; hello: Frame }> => server.greet(fields);

const item = (position: number | undefined, seq: number, id = `${seq}-0`): Item => ({
  ...(position === undefined ? {} : { position }),
  message: {
    id,
    conversation: 'c',
    seq,
    at: 1,
    sender: 'bob',
    clientId: `k${seq}`,
    kind: 'text',
    body: seq,
    class: 'normal',
  },
});

const accept = (peer: Peer, send: Frame, seq: number, more: object = {}): void =>
  peer.say({
    type: 'accepted',
    re: send['id'],
    clientId: send['clientId'],
    message: { id: `${seq}-0`, conversation: 'c', seq, at: 1000 + seq },
    ...more,
  });

/** Answers the next history request with messages of these seqs; resolves with the request. */
async function answerHistory(peer: Peer, seqs: number[], fields: object = {}): Promise<Frame> {
  const request = await peer.next('history');
  peer.say({
    type: 'history',
    re: request['id'],
    conversation: 'c',
    messages: seqs.map((seq) => item(undefined, seq).message),
    more: false,
    absent: [],
    ...fields,
  });
  return request;
}

function watch() {
  const log = {
    items: [] as [number, boolean][],
    violations: [] as Violation[],
    gaps: [] as number[],
    states: [] as string[],
  };
  const events: DeviceEvents = {
    item: ({ message }, fresh) => log.items.push([message.seq, fresh]),
    violation: (violation) => log.violations.push(violation),
    gap: ({ position }) => log.gaps.push(position),
    state: (state) => log.states.push(state),
  };
  return { log, events };
}

const draft = (body: unknown, conversation = 'c') => ({ conversation, kind: 'text', body });

test('hello names token, device and mode, and a position only when one is known', async () => {
  open({ mode: 'pull' });
  const { hello } = await greet();
  expect(hello).toMatchObject({ type: 'hello', token: 'token', device: 'phone', mode: 'pull' });
  expect(hello).not.toHaveProperty('position');
  open({ position: 7, epoch: 'e1' });
  expect((await greet()).hello).toMatchObject({ mode: 'push', position: 7, epoch: 'e1' });
});

test('one received covers all that was delivered, and the next connection begins there', async () => {
  const { log, events } = watch();
  open({ events });
  const { peer } = await greet();
  peer.say({ type: 'deliver', items: [item(1, 1), item(2, 2)] });
  peer.say({ type: 'gap', position: 3, conversation: 'c', fromSeq: 3, toSeq: 4 });
  peer.say({ type: 'deliver', items: [item(4, 5), item(undefined, 6)] });
  expect(await peer.next('received')).toEqual({ type: 'received', position: 4 });
  peer.socket.terminate();
  const again = await greet();
  expect(again.hello).toMatchObject({ position: 4, epoch: 'e1' });
  again.peer.say({ type: 'deliver', items: [item(5, 7)] });
  await again.peer.next('received');
  expect(log).toMatchObject({
    items: [
      [1, true],
      [2, true],
      [5, true],
      [6, true],
      [7, true],
    ],
    gaps: [3],
    violations: [],
  });
  expect(peer.frames.filter(({ type }) => type === 'received')).toHaveLength(1);
});

test('what comes in the same packet as the welcome is taken after it', async () => {
  const { log, events } = watch();
  open({ events, position: 3, epoch: 'e0' });
  const peer = await nextPeer();
  const hello = await peer.next('hello');
  const socket = (peer.socket as unknown as { _socket: { cork(): void; uncork(): void } })._socket;
  socket.cork();
  peer.say({ type: 'welcome', re: hello['id'], ...welcome, reset: true });
  peer.say({ type: 'deliver', items: [item(1, 1)] });
  socket.uncork();
  expect(await peer.next('received')).toEqual({ type: 'received', position: 1 });
  expect(log.violations).toEqual([]);
});

test('a repetition within the grace is no violation; at or below the position of hello it is', async () => {
  const { log, events } = watch();
  open({ events });
  const { peer } = await greet();
  peer.say({ type: 'deliver', items: [item(1, 1), item(2, 2)] });
  await peer.next('received');
  peer.say({ type: 'deliver', items: [item(2, 2), item(3, 3)] });
  await peer.next('received');
  expect(log.violations).toEqual([]);
  peer.socket.terminate();
  const again = await greet();
  again.peer.say({ type: 'deliver', items: [item(3, 3), item(4, 4)] });
  await again.peer.next('received');
  expect(log.violations).toEqual([{ kind: 'regress', position: 3, received: 3 }]);
  expect(log.items.slice(-2)).toEqual([
    [3, false],
    [4, true],
  ]);
});

test('disorder, a second position and a second id are noticed', async () => {
  const { log, events } = watch();
  open({ events });
  const { peer } = await greet();
  peer.say({ type: 'deliver', items: [item(1, 2), item(2, 1), item(3, 2), item(3, 2, 'other')] });
  await peer.next('received');
  expect(log.violations).toEqual([
    { kind: 'disorder', conversation: 'c', seq: 1, after: 2 },
    { kind: 'repeated', conversation: 'c', seq: 2, positions: [1, 3] },
    { kind: 'contradiction', conversation: 'c', seq: 2, ids: ['2-0', 'other'] },
    { kind: 'repeated', conversation: 'c', seq: 2, positions: [1, 3] },
  ]);
});

test('items without a position are taken, move nothing and are not confirmed', async () => {
  const { log, events } = watch();
  const positions: number[] = [];
  const device = open({ events: { ...events, position: (position) => positions.push(position) }, receivedDelayMs: 5 });
  const { peer } = await greet();
  peer.say({ type: 'deliver', items: [item(undefined, 1), item(undefined, 2)] });
  const asked = device.history({ conversation: 'other' });
  await answerHistory(peer, [], { conversation: 'other' });
  await asked;
  await device.offline();
  expect([device.position, positions]).toEqual([0, [0]]);
  device.online();
  const { peer: next, hello } = await greet();
  expect(hello).toMatchObject({ position: 0 });
  next.say({ type: 'deliver', items: [item(undefined, 3), item(1, 4), item(undefined, 5)] });
  expect(await next.next('received')).toEqual({ type: 'received', position: 1 });
  expect(log).toMatchObject({
    items: [
      [1, true],
      [2, true],
      [3, true],
      [4, true],
      [5, true],
    ],
    violations: [],
  });
  expect(peer.frames.filter(({ type }) => type === 'received')).toEqual([]);
});

test('a conversation that grows too large and shrinks again keeps one order of seqs', async () => {
  const { log, events } = watch();
  open({ events });
  const { peer } = await greet();
  peer.say({ type: 'deliver', items: [item(1, 1), item(undefined, 2), item(2, 3)] });
  peer.say({ type: 'gap', position: 3, conversation: 'c', fromSeq: 2, toSeq: 3 });
  peer.say({ type: 'deliver', items: [item(4, 4)] });
  peer.say({ type: 'deliver', items: [item(undefined, 6), item(undefined, 5)] });
  expect(await peer.next('received')).toEqual({ type: 'received', position: 4 });
  expect(log.items).toEqual([
    [1, true],
    [2, true],
    [3, true],
    [4, true],
    [6, true],
    [5, true],
  ]);
  expect(log.violations).toEqual([{ kind: 'disorder', conversation: 'c', seq: 5, after: 6 }]);
});

test('an item without a position that comes again is a repetition, except after a reset', async () => {
  const { log, events } = watch();
  open({ events });
  const { peer } = await greet();
  peer.say({
    type: 'deliver',
    items: [item(undefined, 1), item(undefined, 1), item(undefined, 2), item(1, 2), item(2, 3), item(undefined, 3)],
  });
  await peer.next('received');
  const repeated = { kind: 'repeated', conversation: 'c' };
  const found = [
    { ...repeated, seq: 1, positions: [null, null] },
    { ...repeated, seq: 2, positions: [null, 1] },
    { ...repeated, seq: 3, positions: [2, null] },
  ];
  expect(log.violations).toEqual(found);
  peer.socket.terminate();
  const { peer: next } = await greet({ epoch: 'e2', reset: true });
  next.say({ type: 'deliver', items: [item(undefined, 1), item(1, 4)] });
  await next.next('received');
  expect(log.violations).toEqual(found);
  expect(log.items.slice(-2)).toEqual([
    [1, false],
    [4, true],
  ]);
});

test('of a gap only what is missing is read, whether its items came before it or come meanwhile', async () => {
  const { log, events } = watch();
  const device = open({ events });
  const { peer } = await greet();
  const sent = device.send(draft('own'));
  accept(peer, await peer.next('send'), 7);
  await sent;
  const gap = { conversation: 'c', fromSeq: 2, toSeq: 9 };
  peer.say({ type: 'deliver', items: [item(undefined, 3), item(undefined, 4), item(undefined, 8)] });
  peer.say({ type: 'gap', position: 1, ...gap });
  expect(await peer.next('received')).toEqual({ type: 'received', position: 1 });
  expect(device.missing(gap)).toEqual([
    { fromSeq: 2, toSeq: 2 },
    { fromSeq: 5, toSeq: 6 },
    { fromSeq: 9, toSeq: 9 },
  ]);
  const filled: number[] = [];
  const done = device.fill(gap, ({ seq }) => filled.push(seq));
  expect(await answerHistory(peer, [2], { more: true })).toMatchObject({ conversation: 'c', after: 1, limit: 1 });
  // 9 comes live before its turn, and 5 while it is being read.
  const request = await peer.next('history');
  expect(request).toMatchObject({ after: 4, limit: 2 });
  peer.say({ type: 'deliver', items: [item(undefined, 9)] });
  peer.say({
    type: 'history',
    re: request['id'],
    conversation: 'c',
    messages: [item(undefined, 5), item(undefined, 6)].map(({ message }) => message),
    more: true,
    absent: [],
  });
  await done;
  expect(filled).toEqual([2, 5, 6]);
  expect(device.missing(gap)).toEqual([]);
  await device.fill(gap, ({ seq }) => filled.push(seq));
  expect(peer.frames.filter(({ type }) => type === 'history')).toHaveLength(2);
  // What history gave first is not fresh when it comes as an item; that is no repetition, for the device had asked.
  peer.say({ type: 'deliver', items: [item(undefined, 6), item(2, 10)] });
  await peer.next('received');
  expect(log).toMatchObject({
    items: [
      [3, true],
      [4, true],
      [8, true],
      [9, true],
      [6, false],
      [10, true],
    ],
    gaps: [1],
    violations: [],
  });
  expect(filled).toEqual([2, 5, 6]);
});

test('seqs of a gap that history does not have are passed over, and messages beyond it are left', async () => {
  const device = open();
  const { peer } = await greet();
  const filled: number[] = [];
  const done = device.fill({ conversation: 'c', fromSeq: 1, toSeq: 250 }, ({ seq }) => filled.push(seq));
  expect(await answerHistory(peer, [1, 90], { more: true })).toMatchObject({ after: 0, limit: 100 });
  expect(await answerHistory(peer, [], { more: true })).toMatchObject({ after: 90, limit: 100 });
  expect(await answerHistory(peer, [249, 251, 252], { more: true })).toMatchObject({ after: 190, limit: 60 });
  await done;
  expect(filled).toEqual([1, 90, 249]);
  const rest = device.fill({ conversation: 'c', fromSeq: 248, toSeq: 253 }, ({ seq }) => filled.push(seq));
  expect(await answerHistory(peer, [249, 250, 251, 252], { more: true })).toMatchObject({ after: 247, limit: 1 });
  expect(await answerHistory(peer, [250], { more: false })).toMatchObject({ after: 249, limit: 4 });
  await rest;
  expect(filled).toEqual([1, 90, 249, 250]);
});

test('what was read from history with another id than came as an item is a contradiction', async () => {
  const { log, events } = watch();
  const device = open({ events });
  const { peer } = await greet();
  peer.say({ type: 'deliver', items: [item(undefined, 1)] });
  const asked = device.history({ conversation: 'c' });
  const request = await peer.next('history');
  peer.say({
    type: 'history',
    re: request['id'],
    conversation: 'c',
    messages: [item(undefined, 1, 'other').message],
    more: false,
    absent: [],
  });
  await asked;
  expect(log.violations).toEqual([{ kind: 'contradiction', conversation: 'c', seq: 1, ids: ['1-0', 'other'] }]);
});

test('a send without an answer goes out again with the same clientId, and is accepted once', async () => {
  const device = open();
  const { peer } = await greet();
  const sent = device.send(draft('hi'));
  const first = await peer.next('send');
  peer.socket.terminate();
  const { peer: next } = await greet();
  const second = await next.next('send');
  expect(second['clientId']).toBe(first['clientId']);
  accept(next, second, 1, { duplicate: true });
  expect(await sent).toMatchObject({ message: { seq: 1 }, duplicate: true });
  expect(device.unsent).toBe(0);
});

test.each(['retry_later', 'unknown_outcome', 'rate_limited', 'internal'])(
  'after %s it goes out again before later ones',
  async (code) => {
    const device = open();
    const { peer } = await greet();
    const both = Promise.all([device.send(draft(1)), device.send(draft(2)), device.send(draft(3, 'other'))]);
    const first = await peer.next('send');
    const other = await peer.next('send');
    expect([first['body'], other['body']]).toEqual([1, 3]);
    accept(peer, other, 1);
    peer.say({
      type: 'error',
      re: first['id'],
      clientId: first['clientId'],
      code,
      message: 'no',
      retryable: true,
      retryAfterMs: 1,
    });
    const again = await peer.next('send');
    expect([again['body'], again['clientId']]).toEqual([1, first['clientId']]);
    accept(peer, again, 1);
    const second = await peer.next('send');
    expect(second['body']).toBe(2);
    accept(peer, second, 2);
    await both;
  },
);

test('a final refusal rejects that send and does not stop the next', async () => {
  const device = open();
  const { peer } = await greet();
  const refused = device.send(draft(1));
  const next = device.send(draft(2));
  const first = await peer.next('send');
  peer.say({ type: 'error', re: first['id'], code: 'not_found', message: 'no such conversation', retryable: false });
  await expect(refused).rejects.toMatchObject({ code: 'not_found' });
  accept(peer, await peer.next('send'), 1);
  await next;
});

test('reset: a new epoch, from the start, and what may be lost is sent again first', async () => {
  const again: string[] = [];
  const device = open({
    events: { accepted: (send, _, repeated) => void (repeated && again.push(String(send.body))) },
  });
  const { peer } = await greet();
  for (const seq of [1, 2, 3]) {
    const sent = device.send(draft(`m${seq}`));
    accept(peer, await peer.next('send'), seq);
    await sent;
  }
  peer.say({ type: 'deliver', items: [item(5, 9)] });
  await peer.next('received');
  const pending = device.send(draft('m4'));
  await peer.next('send');
  peer.socket.close(1012);
  // Accepted at 1001, 1002 and 1003.
  const { peer: next, hello } = await greet({ epoch: 'e2', reset: true, lostSince: 1002 });
  expect(hello).toMatchObject({ position: 5, epoch: 'e1' });
  const bodies: unknown[] = [];
  for (const seq of [12, 13, 14]) {
    const send = await next.next('send');
    bodies.push(send['body']);
    accept(next, send, seq);
  }
  expect(bodies).toEqual(['m2', 'm3', 'm4']);
  await pending;
  expect(again).toEqual(['m2', 'm3']);
  next.say({ type: 'deliver', items: [item(1, 9)] });
  expect(await next.next('received')).toEqual({ type: 'received', position: 1 });
  expect([device.position, device.epoch]).toEqual([1, 'e2']);
});

test.each([4400, 4403, 4409])('close code %i is final', async (code) => {
  const closed = new Promise<number | undefined>((resolve) =>
    open({ events: { state: (state, detail) => void (state === 'closed' && resolve(detail.code)) } }),
  );
  const { peer } = await greet();
  peer.socket.close(code);
  expect(await closed).toBe(code);
  await expect(devices[0]!.history({ to: 'bob' })).rejects.toThrow('closed');
});

test('4401 brings a new token; the same one again is the end', async () => {
  const tokens = ['old', 'new', 'new'];
  const closed = new Promise<void>((resolve) =>
    open({ events: { state: (state) => void (state === 'closed' && resolve()) } }, () => tokens.shift()!),
  );
  for (const token of ['old', 'new']) {
    const peer = await nextPeer();
    expect((await peer.next('hello'))['token']).toBe(token);
    peer.socket.close(4401);
  }
  await closed;
});

test('drain: open requests are finished, the rest waits for the next connection', async () => {
  const device = open();
  const { peer } = await greet();
  peer.say({ type: 'deliver', items: [item(1, 1)] });
  const asked = device.history({ to: 'bob' });
  const history = await peer.next('history');
  peer.say({ type: 'drain', reconnectAfterMs: 30 });
  const drained = Date.now();
  const closed = once(peer.socket, 'close');
  peer.say({ type: 'history', re: history['id'], conversation: 'c', messages: [], more: false, absent: [] });
  await asked;
  const sent = device.send(draft('later'));
  expect((await closed)[0]).toBe(1000);
  expect(peer.frames.some(({ type }) => type === 'send')).toBe(false);
  expect(peer.frames.at(-1)).toEqual({ type: 'received', position: 1 });
  const { peer: next } = await greet();
  expect(Date.now() - drained).toBeGreaterThanOrEqual(25);
  accept(next, await next.next('send'), 1);
  await sent;
});

test('a pull device reads page by page and confirms the last', async () => {
  const { log, events } = watch();
  const device = open({ mode: 'pull', events });
  const { peer } = await greet();
  const synced = device.sync(2);
  const first = await peer.next('sync');
  expect(first).toMatchObject({ after: 0, epoch: 'e1', limit: 2 });
  peer.say({
    type: 'page',
    re: first['id'],
    items: [item(1, 1), item(3, 5)],
    gaps: [{ position: 2, conversation: 'c', fromSeq: 2, toSeq: 4 }],
    next: 3,
    more: true,
    epoch: 'e1',
  });
  const second = await peer.next('sync');
  expect(second).toMatchObject({ after: 3 });
  peer.say({ type: 'page', re: second['id'], items: [item(4, 6)], gaps: [], next: 4, more: false, epoch: 'e1' });
  await synced;
  expect(await peer.next('received')).toEqual({ type: 'received', position: 4 });
  expect(log).toMatchObject({
    items: [
      [1, true],
      [5, true],
      [6, true],
    ],
    gaps: [2],
    violations: [],
  });
});

test('an item without a position keeps its place in a page, and is no step back', async () => {
  const { log, events } = watch();
  const device = open({ mode: 'pull', position: 4, epoch: 'e1', events });
  const { peer } = await greet({ position: 4 });
  const synced = device.sync();
  const request = await peer.next('sync');
  const items = [item(undefined, 1), item(5, 2), item(undefined, 3), item(7, 9)];
  peer.say({
    type: 'page',
    re: request['id'],
    items,
    gaps: [{ position: 6, conversation: 'c', fromSeq: 4, toSeq: 8 }],
    next: 7,
    more: false,
    epoch: 'e1',
  });
  await synced;
  expect(log).toMatchObject({
    items: [
      [1, true],
      [2, true],
      [3, true],
      [9, true],
    ],
    gaps: [6],
    violations: [],
  });
  expect(await peer.next('received')).toEqual({ type: 'received', position: 7 });
});

test('resync_required makes a pull device reconnect and read from the start of the new epoch', async () => {
  const device = open({ mode: 'pull', position: 8, epoch: 'e1' });
  const { peer } = await greet({ position: 8 });
  const synced = device.sync();
  const first = await peer.next('sync');
  peer.say({ type: 'error', re: first['id'], code: 'resync_required', message: 'another epoch', retryable: false });
  const { peer: next } = await greet({ epoch: 'e2', reset: true });
  const second = await next.next('sync');
  expect(second).toMatchObject({ after: 0, epoch: 'e2' });
  next.say({ type: 'page', re: second['id'], items: [], gaps: [], next: 0, more: false, epoch: 'e2' });
  await synced;
});

test('lazy: live messages are confirmed and leave the position where it is', async () => {
  const device = open({ mode: 'lazy', position: 2, epoch: 'e1' });
  const { peer } = await greet({ position: 2 });
  peer.say({ type: 'deliver', items: [item(9, 9)] });
  expect(await peer.next('received')).toEqual({ type: 'received', position: 9 });
  expect(device.position).toBe(2);
});

test('lazy: items without a position are taken, and neither confirmed nor a place to go on from', async () => {
  const { log, events } = watch();
  const device = open({ mode: 'lazy', position: 2, epoch: 'e1', events });
  const { peer } = await greet({ position: 2 });
  peer.say({ type: 'deliver', items: [item(undefined, 8)] });
  peer.say({ type: 'deliver', items: [item(9, 9), item(undefined, 10)] });
  expect(await peer.next('received')).toEqual({ type: 'received', position: 9 });
  expect(device.position).toBe(2);
  expect(log).toMatchObject({
    items: [
      [8, true],
      [9, true],
      [10, true],
    ],
    violations: [],
  });
});

test('a connection that stays silent is asked, and then given up', { timeout: 15_000 }, async () => {
  open();
  const { peer } = await greet({ heartbeatMs: 1000 });
  await peer.next('ping');
  await once(peer.socket, 'close');
  await greet();
});

test('a server that never says welcome is given up', { timeout: 15_000 }, async () => {
  open({ handshakeMs: 500 });
  const peer = await nextPeer();
  await peer.next('hello');
  await once(peer.socket, 'close');
  await greet();
});

test('offline keeps what is to be sent, online sends it', async () => {
  const { log, events } = watch();
  const device = open({ events });
  const { peer } = await greet();
  await device.offline();
  expect(device.state).toBe('idle');
  const sent = device.send(draft('kept'));
  device.online();
  const { peer: next } = await greet();
  accept(next, await next.next('send'), 1);
  await sent;
  expect(peer.frames.some(({ type }) => type === 'send')).toBe(false);
  expect(log.states).toEqual(['connecting', 'connected', 'idle', 'connecting', 'connected']);
});

test('closing rejects what was never accepted', async () => {
  const device = open();
  const { peer } = await greet();
  const sent = device.send(draft('never'));
  await peer.next('send');
  await Promise.all([device.close(), expect(sent).rejects.toThrow('device is closed')]);
});

test('full jitter spans from the least to a ceiling that doubles', () => {
  const range = { minMs: 500, maxMs: 20_000 };
  const at = (attempt: number, chance: number): number => fullJitter(attempt, range, () => chance);
  expect([at(0, 0), at(0, 1), at(1, 1), at(4, 1), at(5, 1), at(99, 1), at(99, 0)]).toEqual([
    500, 1000, 2000, 16_000, 20_000, 20_000, 500,
  ]);
});

test('clientIds are UUIDv7: valid, different, rising with time', () => {
  const ids = [newClientId(1_700_000_000_000), newClientId(1_700_000_000_001), newClientId(1_700_000_000_001)];
  for (const id of ids) expect(id).toMatch(/^018bcfe5-680[01]-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(new Set(ids).size).toBe(3);
  expect(ids[0]! < ids[1]!).toBe(true);
});
