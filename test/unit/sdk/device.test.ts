import { expect, test } from 'vitest';
import { welcome } from '../../support/played-server.ts';
import { answerHistory, greet, item, nextPeer, open, playOneServerEach, watch } from './played-device.ts';

playOneServerEach();

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
