import { expect, test, vi } from 'vitest';
import { Refusal } from '../../../../sdk/src/refusal.ts';
import { ConnectionLost } from '../../../../sdk/src/requests.ts';
import { openLink, played, playServerForLinks } from './played-link.ts';

playServerForLinks();

const names = (statuses: { state: string }[]) => statuses.map(({ state }) => state);

test('connects, says hello with what the application adds, and is connected at the welcome', async () => {
  const { link, statuses } = openLink({ hello: () => ({ mode: 'lazy', position: 7, epoch: 'e1' }) });
  const { hello } = await played().greet();
  await vi.waitFor(() => expect(link.status.state).toBe('connected'));
  expect(hello).toMatchObject({ token: 'token', device: 'phone', mode: 'lazy', position: 7, epoch: 'e1' });
  expect(names(statuses)).toEqual(['connecting', 'connected']);
  expect(link.welcome?.user).toBe('alice');
});

test('comes back, once, when its own late hello may have replaced its connection', async () => {
  const { link } = openLink();
  const abandoned = await played().nextPeer();
  await abandoned.next('hello');
  link.disconnect({ cut: true });
  link.connect();
  const { peer } = await played().greet();
  peer.socket.close(4409, 'connected again');
  const { peer: again } = await played().greet();
  await vi.waitFor(() => expect(link.status.state).toBe('connected'));
  again.socket.close(4409, 'connected again');
  await vi.waitFor(() => expect(link.status).toMatchObject({ state: 'closed', code: 4409 }));
});

test('comes back in the same way after a hello whose connection was lost', async () => {
  const { link } = openLink();
  const lost = await played().nextPeer();
  await lost.next('hello');
  lost.socket.terminate();
  const { peer } = await played().greet();
  peer.socket.close(4409, 'connected again');
  await played().greet();
  await vi.waitFor(() => expect(link.status.state).toBe('connected'));
});

test('waits after an end, reads hello again for the next attempt, and tells when that begins', async () => {
  let position = 1;
  const { statuses } = openLink({ hello: () => ({ position: position++ }) });
  const { peer } = await played().greet();
  peer.socket.close(1012, 'restart');
  const { hello } = await played().greet();
  expect(hello['position']).toBe(2);
  const waiting = statuses.find(({ state }) => state === 'waiting');
  expect(waiting).toMatchObject({ code: 1012, reason: 'restart' });
  expect(waiting!.retryAt).toBeGreaterThan(0);
});

test.each([4400, 4403, 4409])('ends for good after %i, and connect() revives it', async (code) => {
  const { link, statuses } = openLink();
  const { peer } = await played().greet();
  peer.socket.close(code);
  await vi.waitFor(() => expect(link.status).toMatchObject({ state: 'closed', code }));
  expect(names(statuses)).not.toContain('waiting');
  link.connect();
  await played().greet();
  await vi.waitFor(() => expect(link.status.state).toBe('connected'));
});

test('ends for good by a reason of the listener of the welcome', async () => {
  const { link } = openLink({ events: { welcome: () => 'other_user' } });
  await played().greet();
  await vi.waitFor(() => expect(link.status).toEqual({ state: 'closed', reason: 'other_user' }));
});

test('finishes open requests when the server drains, starts none, and comes back when it was told', async () => {
  const { link } = openLink();
  const { peer } = await played().greet();
  await vi.waitFor(() => expect(link.usable).toBe(true));
  const open = link.ask({ type: 'read' });
  const request = await peer.next('read');
  peer.say({ type: 'drain', reconnectAfterMs: 30 });
  await vi.waitFor(() => expect(link.usable).toBe(false));
  await expect(link.ask({ type: 'read' })).rejects.toBeInstanceOf(ConnectionLost);
  const closed = new Promise((resolve) => peer.socket.once('close', resolve));
  peer.say({ type: 'ok', re: request['id'] });
  await expect(open).resolves.toMatchObject({ type: 'ok' });
  expect(await closed).toBe(1000);
  await played().greet();
  await vi.waitFor(() => expect(link.usable).toBe(true));
});

test('insists on a request whose connection was given up in the turn in which it was made', async () => {
  const { link } = openLink();
  await played().greet();
  await vi.waitFor(() => expect(link.usable).toBe(true));
  const asked = link.insist(() => ({ type: 'history' }));
  link.disconnect({ cut: true });
  link.connect();
  const { peer } = await played().greet();
  const request = await peer.next('history');
  peer.say({ type: 'history', re: request['id'], messages: [] });
  expect(await asked).toMatchObject({ messages: [] });
});

test('insists on a request over lost connections and retryable refusals, with a frame made each time', async () => {
  let made = 0;
  const { link } = openLink();
  const { peer } = await played().greet();
  const asked = link.insist(() => ({ type: 'history', after: made++ }));
  await peer.next('history');
  peer.socket.terminate();
  const next = await played().greet();
  const again = await next.peer.next('history');
  expect(again['after']).toBe(1);
  next.peer.say({ type: 'error', re: again['id'], code: 'retry_later', message: '', retryable: true });
  const third = await next.peer.next('history');
  next.peer.say({ type: 'history', re: third['id'] });
  await expect(asked).resolves.toMatchObject({ type: 'history' });
});

test('gives up a request by its refusal, and takes an unknown code by what the server says of it', async () => {
  const { link } = openLink();
  const { peer } = await played().greet();
  await vi.waitFor(() => expect(link.usable).toBe(true));
  const asked = link.insist(() => ({ type: 'history' }));
  const first = await peer.next('history');
  peer.say({ type: 'error', re: first['id'], code: 'busy_moon', message: '', retryable: true, retryAfterMs: -1 });
  const second = await peer.next('history');
  peer.say({ type: 'error', re: second['id'], code: 'new_moon', message: 'no', retryable: false });
  await expect(asked).rejects.toMatchObject({ code: 'new_moon' });
  await expect(asked).rejects.toBeInstanceOf(Refusal);
});

test('a disconnected link is idle and refuses requests', async () => {
  const { link } = openLink({ url: 'ws://127.0.0.1:1', limits: { reconnect: { minMs: 60_000, maxMs: 60_000 } } });
  await vi.waitFor(() => expect(link.status).toMatchObject({ state: 'waiting', code: 1006 }));
  link.disconnect();
  expect(link.status.state).toBe('idle');
  await expect(link.insist(() => ({ type: 'history' }))).rejects.toThrow('the client is idle');
});
