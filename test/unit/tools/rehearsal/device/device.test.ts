import { once } from 'node:events';
import { expect, test } from 'vitest';
import { accept, greet, item, openDevice, playServerForDevices } from './played-device.ts';

/** How a rehearsed device goes on over connections, and what it says to the server. */

playServerForDevices();

test('hello names a position only when one is known; one received covers all that came', async () => {
  const { device, items, gaps, violations } = openDevice();
  const { peer, hello } = await greet({ position: 0 });
  expect(hello).toMatchObject({ token: 'token', device: 'phone', mode: 'push' });
  expect(hello).not.toHaveProperty('position');
  peer.say({ type: 'deliver', items: [item(1, 1), item(2, 2)] });
  peer.say({ type: 'gap', position: 3, conversation: 'c', fromSeq: 3, toSeq: 4 });
  peer.say({ type: 'deliver', items: [item(4, 5), item(undefined, 6)] });
  expect(await peer.next('received')).toEqual({ type: 'received', position: 4 });
  peer.socket.terminate();
  const { peer: next, hello: again } = await greet();
  expect(again).toMatchObject({ position: 4, epoch: 'e1' });
  next.say({ type: 'deliver', items: [item(5, 7)] });
  await next.next('received');
  expect({ items, gaps, violations }).toEqual({
    items: [1, 2, 5, 6, 7].map((seq) => [seq, true]),
    gaps: [3],
    violations: [],
  });
  expect(peer.frames.filter(({ type }) => type === 'received')).toHaveLength(1);
  expect([device.position, device.epoch]).toEqual([5, 'e1']);
});

test('a device without a position begins where the server remembers it', async () => {
  const { device } = openDevice();
  const { peer } = await greet({ position: 7 });
  peer.say({ type: 'deliver', items: [item(8, 1)] });
  expect(await peer.next('received')).toEqual({ type: 'received', position: 8 });
  expect(device.position).toBe(8);
});

test('after a reset it begins anew, and sends again first what may be lost', async () => {
  const { device } = openDevice();
  const { peer } = await greet();
  for (const seq of [1, 2, 3]) {
    const sent = device.send({ conversation: 'c', kind: 'text', body: seq });
    accept(peer, await peer.next('send'), seq);
    await sent;
  }
  peer.say({ type: 'deliver', items: [item(5, 9)] });
  await peer.next('received');
  const pending = device.send({ conversation: 'c', kind: 'text', body: 4 });
  await peer.next('send');
  expect(device.unsent).toBe(1);
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
  expect(bodies).toEqual([2, 3, 4]);
  await expect(pending).resolves.toMatchObject({ message: { seq: 14 } });
  next.say({ type: 'deliver', items: [item(1, 9)] });
  expect(await next.next('received')).toEqual({ type: 'received', position: 1 });
  expect([device.position, device.epoch, device.unsent]).toEqual([1, 'e2', 0]);
});

test('offline keeps what is to be sent, and online sends it', async () => {
  const { device } = openDevice();
  const { peer } = await greet();
  const closed = once(peer.socket, 'close');
  device.offline();
  expect(device.state).toBe('idle');
  expect((await closed)[0]).toBe(1000);
  const sent = device.send({ to: 'bob', kind: 'text', body: 'kept' });
  await expect(device.history({ to: 'bob' })).rejects.toThrow('idle');
  device.online();
  const { peer: next } = await greet();
  const send = await next.next('send');
  expect(send).toMatchObject({ to: 'bob', body: 'kept' });
  accept(next, send, 1);
  await expect(sent).resolves.toMatchObject({ clientId: send['clientId'], message: { seq: 1 } });
});

test('offline tells what came before it leaves; a cut ends without a word, as a lost network does', async () => {
  const { device } = openDevice({ holdMs: 60_000 });
  for (const [cut, code, told] of [
    [false, 1000, [{ type: 'received', position: 1 }]],
    [true, 1006, []],
  ] as const) {
    const { peer } = await greet();
    peer.say({ type: 'deliver', items: [item(cut ? 2 : 1, cut ? 2 : 1)] });
    const asked = device.history({ to: 'bob' });
    peer.say({ type: 'history', re: (await peer.next('history'))['id'], messages: [], more: false, absent: [] });
    await asked;
    const closed = once(peer.socket, 'close');
    device.offline({ cut });
    expect((await closed)[0]).toBe(code);
    expect(peer.frames.filter(({ type }) => type === 'received')).toEqual(told);
    device.online();
  }
});

test('closing rejects what was not accepted, and so does the server that closes for good', async () => {
  const { device } = openDevice();
  const { peer } = await greet();
  const sent = device.send({ conversation: 'c', kind: 'text', body: 'never' });
  await peer.next('send');
  device.close();
  await expect(sent).rejects.toThrow('the device is closed');
  const { device: other } = openDevice();
  const refused = other.send({ conversation: 'c', kind: 'text', body: 'never' });
  (await greet()).peer.socket.close(4403, 'forbidden');
  await expect(refused).rejects.toThrow('the device is closed: forbidden');
  expect(other.state).toBe('closed');
});

test('a message that is refused for good is rejected, and the next one goes out', async () => {
  const { device } = openDevice();
  const { peer } = await greet();
  const [refused, next] = [1, 2].map((body) => device.send({ conversation: 'c', kind: 'text', body }));
  const { id } = await peer.next('send');
  peer.say({ type: 'error', re: id, code: 'not_found', message: 'no such conversation', retryable: false });
  await expect(refused).rejects.toMatchObject({ code: 'not_found' });
  accept(peer, await peer.next('send'), 1);
  await next;
});
