import { expect, test } from 'vitest';
import { greet, item, open, playOneServerEach, watch } from './played-device.ts';

playOneServerEach();

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
