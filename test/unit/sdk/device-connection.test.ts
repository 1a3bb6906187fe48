import { once } from 'node:events';
import { expect, test } from 'vitest';
import { accept, draft, greet, item, nextPeer, open, playOneServerEach } from './played-device.ts';

playOneServerEach();

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
  const { promise: closed, resolve } = Promise.withResolvers<number | undefined>();
  const device = open({ events: { state: (state, detail) => void (state === 'closed' && resolve(detail.code)) } });
  const { peer } = await greet();
  peer.socket.close(code);
  expect(await closed).toBe(code);
  await expect(device.history({ to: 'bob' })).rejects.toThrow('closed');
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
