import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Item } from '../../../../sdk/src/wire.ts';
import { createDeviceRecorder, type DeviceRecorder } from '../../../../tools/rehearsal/device-recorder.ts';
import { plainMessage } from '../../../support/plain-message.ts';
import { type PlayedServer, playServer } from '../../../support/played-server.ts';

/** A server that commits each violation which a rehearsal has to find, and what stands in the record then. */

let server: PlayedServer;
let recorders: DeviceRecorder[];

beforeEach(async () => {
  recorders = [];
  server = await playServer();
});
afterEach(async () => {
  for (const { device } of recorders) device.close();
  await server.close();
});

function record(mode: 'push' | 'pull' = 'push'): DeviceRecorder {
  const made = createDeviceRecorder({
    url: () => server.url,
    token: () => Promise.resolve('token'),
    user: 'alice',
    deviceId: 'first',
    mode,
    sleeper: false,
    conversation: 'c',
    reconnect: { minMs: 5, maxMs: 20 },
    random: Math.random,
    intern: (text) => text,
  });
  recorders.push(made);
  return made;
}

const item = (position: number | undefined, seq: number, id = `${seq}-0`): Item => ({
  ...(position === undefined ? {} : { position }),
  message: plainMessage(seq, id),
});

test('disorder, a second position, a second id, and twice without a position', async () => {
  const { record: found } = record();
  const { peer } = await server.greet();
  peer.say({ type: 'deliver', items: [item(1, 2), item(2, 1), item(3, 2), item(3, 2, 'other')] });
  peer.say({ type: 'deliver', items: [item(undefined, 7), item(undefined, 7), item(4, 7)] });
  await peer.next('received');
  expect(found.violations).toEqual([
    'disorder {"conversation":"c","seq":1,"after":2}',
    'repeated {"conversation":"c","seq":2,"positions":[1,3]}',
    'contradiction {"conversation":"c","seq":2,"ids":["2-0","other"]}',
    'repeated {"conversation":"c","seq":2,"positions":[1,3]}',
    'repeated {"conversation":"c","seq":7,"positions":[null,null]}',
    'repeated {"conversation":"c","seq":7,"positions":[null,4]}',
  ]);
});

test('a step back behind the position of hello, and behind that of a page', async () => {
  const { record: pushed } = record();
  const { peer } = await server.greet();
  peer.say({ type: 'deliver', items: [item(1, 1), item(2, 2)] });
  await peer.next('received');
  // It may still be on its way.
  peer.say({ type: 'deliver', items: [item(2, 2), item(3, 3)] });
  await peer.next('received');
  peer.socket.terminate();
  const { peer: next, hello } = await server.greet();
  expect(hello).toMatchObject({ position: 3, epoch: 'e1' });
  next.say({ type: 'deliver', items: [item(3, 3), item(4, 4)] });
  await next.next('received');
  expect(pushed.violations).toEqual(['regress {"position":3,"received":3}']);

  const { record: pulled, device } = record('pull');
  const { peer: asked } = await server.greet({ position: 6 });
  const synced = device.sync();
  const { id } = await asked.next('sync');
  asked.say({ type: 'page', re: id, items: [item(6, 6), item(7, 7)], gaps: [], next: 7, more: false, epoch: 'e1' });
  await synced;
  expect(pulled.violations).toEqual(['regress {"position":6,"received":6}']);
});

test('another id in history than came as an item; and after a loss places begin anew', async () => {
  const { record: found, device } = record();
  const { peer } = await server.greet();
  peer.say({ type: 'deliver', items: [item(1, 1), item(2, 2)] });
  await peer.next('received');
  const reading = device.history({ conversation: 'c' });
  const { id } = await peer.next('history');
  peer.say({
    type: 'history',
    re: id,
    conversation: 'c',
    messages: [item(undefined, 1, 'other').message],
    more: false,
  });
  await reading;
  const contradiction = 'contradiction {"conversation":"c","seq":1,"ids":["1-0","other"]}';
  expect(found.violations).toEqual([contradiction]);
  peer.socket.terminate();
  const { peer: next } = await server.greet({ epoch: 'e2', reset: true });
  next.say({ type: 'deliver', items: [item(1, 2), item(2, 1, 'other'), item(3, 4), item(4, 3)] });
  await next.next('received');
  expect(found.violations).toEqual([contradiction, 'disorder {"conversation":"c","seq":3,"after":4}']);
});

test('a close for good, an error of no request, and a message of another conversation', async () => {
  const { record: found, device } = record();
  const { peer } = await server.greet();
  const stray = item(1, 1);
  peer.say({ type: 'deliver', items: [{ ...stray, message: { ...stray.message, conversation: 'd' } }] });
  peer.say({ type: 'gap', position: 2, conversation: 'd', fromSeq: 1, toSeq: 2 });
  await peer.next('received');
  peer.say({ type: 'error', code: 'internal', message: 'oops', retryable: true });
  const closed = new Promise((resolve) => peer.socket.once('close', resolve));
  peer.socket.close(4403, 'gone');
  await closed;
  while (device.state !== 'closed') await new Promise(setImmediate);
  expect(found.violations).toEqual([
    'a message of another conversation: d',
    'a gap of another conversation: d',
    'error without a request: {"type":"error","code":"internal","message":"oops","retryable":true}',
    'the server closed for good: 4403 gone',
  ]);
});
