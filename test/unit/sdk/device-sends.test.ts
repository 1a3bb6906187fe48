import { expect, test } from 'vitest';
import { accept, draft, greet, open, playOneServerEach, watch } from './played-device.ts';

playOneServerEach();

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
