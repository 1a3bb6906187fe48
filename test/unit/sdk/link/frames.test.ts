import { expect, test, vi } from 'vitest';
import { openLink, played, playServerForLinks } from './played-link.ts';

/** What a broken server or proxy may send: a client reports it and goes on. */

playServerForLinks();

test.each(['no json', '[]', 'null', '{}', '{"type":7}', '"text"'])('reports %s and goes on', async (text) => {
  const { link, frames, faults } = openLink();
  const { peer } = await played().greet();
  peer.socket.send(text);
  peer.say({ type: 'pong', re: 'nothing that was asked' });
  await vi.waitFor(() => expect(frames).toEqual(['pong']));
  expect(faults).toEqual(['frame: a text that is no frame']);
  expect(link.status.state).toBe('connected');
});

test('takes the first of two answers, and the first of two welcomes', async () => {
  const { link, frames, faults } = openLink();
  const { peer } = await played().greet();
  await vi.waitFor(() => expect(link.usable).toBe(true));
  const asked = link.ask({ type: 'read' });
  const { id } = await peer.next('read');
  peer.say({ type: 'read', re: id, seq: 1 });
  peer.say({ type: 'read', re: id, seq: 2 });
  peer.say({ type: 'welcome', user: 'mallory', epoch: 'e2' });
  await expect(asked).resolves.toMatchObject({ seq: 1 });
  await vi.waitFor(() => expect(faults).toEqual(['frame: a second welcome']));
  expect(frames).toEqual(['read']);
  expect(link.welcome?.user).toBe('alice');
});

test('takes what comes in the same packet as the welcome after it', async () => {
  const order: string[] = [];
  openLink({
    events: { welcome: () => void order.push('welcome'), frame: ({ type }) => order.push(type) },
  });
  const peer = await played().nextPeer();
  const socket = (peer.socket as unknown as { _socket: { cork(): void; uncork(): void } })._socket;
  socket.cork();
  peer.say({ type: 'welcome', user: 'alice', epoch: 'e1' });
  peer.say({ type: 'deliver', items: [] });
  socket.uncork();
  await vi.waitFor(() => expect(order).toEqual(['welcome', 'deliver']));
});

test('a welcome without a user ends the connection for good', async () => {
  const { link } = openLink();
  const peer = await played().nextPeer();
  peer.say({ type: 'welcome', epoch: 'e1' });
  await vi.waitFor(() => expect(link.status).toMatchObject({ state: 'closed', code: 4400 }));
});

test('an error without a code is internal, and a drain without a time goes by the backoff', async () => {
  const { link } = openLink();
  const { peer } = await played().greet({ limits: undefined, unread: undefined, features: undefined });
  await vi.waitFor(() => expect(link.usable).toBe(true));
  expect(link.welcome).toMatchObject({ features: [], limits: { pageItems: 200 }, unread: { conversations: [] } });
  const asked = link.ask({ type: 'read' });
  peer.say({ type: 'error', re: (await peer.next('read'))['id'] });
  await expect(asked).rejects.toMatchObject({ code: 'internal', retryable: true });
  peer.say({ type: 'drain' });
  await played().greet();
  await vi.waitFor(() => expect(link.usable).toBe(true));
});

test('a listener that throws harms nothing', async () => {
  const { link, faults } = openLink({
    events: {
      frame() {
        throw new Error('mine');
      },
    },
  });
  const { peer } = await played().greet();
  peer.say({ type: 'news' });
  await vi.waitFor(() => expect(faults).toEqual(['frame: mine']));
  expect(link.status.state).toBe('connected');
});
