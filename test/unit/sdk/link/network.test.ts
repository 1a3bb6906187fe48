import { expect, test, vi } from 'vitest';
import { fakeClock } from '../../../../sdk/src/testing/fake-clock.ts';
import { playedEnvironment } from '../../../support/played-environment.ts';
import { openLink, played, playServerForLinks, silence } from './played-link.ts';

playServerForLinks();

const connected = (link: { usable: boolean }) => vi.waitFor(() => expect(link.usable).toBe(true));

test('keeps its socket while the page is offline, and goes on without a hello when it answers', async () => {
  const { environment, report } = playedEnvironment();
  const { link, statuses } = openLink({ environment });
  const { peer } = await played().greet();
  await connected(link);
  report('offline');
  expect(link.status).toEqual({ state: 'waiting', reason: 'offline' });
  expect(link.usable).toBe(false);
  report('online');
  const ping = await peer.next('ping');
  expect(link.usable).toBe(false);
  peer.say({ type: 'pong', re: ping['id'], head: 9, epoch: 'e1' });
  await connected(link);
  expect(statuses.map(({ state }) => state)).toEqual(['connecting', 'connected', 'waiting', 'connected']);
  expect(peer.frames.filter(({ type }) => type === 'hello')).toHaveLength(1);
});

test('replaces a kept socket that does not answer, at once', async () => {
  const { environment, report } = playedEnvironment();
  const clock = fakeClock();
  const { link } = openLink({ environment, clock, limits: { reconnect: { minMs: 20_000, maxMs: 20_000 } } });
  const { peer } = await played().greet();
  await connected(link);
  silence(peer);
  report('offline');
  await clock.advance(60_000);
  report('online');
  await clock.advance(1499);
  expect(link.status.state).toBe('waiting');
  await clock.advance(1);
  expect(link.status.state).toBe('connecting');
  await played().greet();
  await connected(link);
});

test('tries at once when the network comes back, but not more than once in two seconds', async () => {
  const { environment, report } = playedEnvironment();
  const clock = fakeClock();
  const { link } = openLink({ environment, clock, limits: { reconnect: { minMs: 20_000, maxMs: 20_000 } } });
  (await played().greet()).peer.socket.terminate();
  await vi.waitFor(() => expect(link.status.state).toBe('waiting'));
  report('visible');
  await clock.advance(0);
  (await played().greet()).peer.socket.terminate();
  await vi.waitFor(() => expect(link.status.state).toBe('waiting'));
  report('visible');
  await clock.advance(1000);
  expect(link.status.state).toBe('waiting');
  await clock.advance(1000);
  expect(link.status.state).toBe('connecting');
  await played().greet();
  await connected(link);
});

test('asks after the silence of a heartbeat, and takes the socket for gone after another', async () => {
  const clock = fakeClock();
  const { link, statuses } = openLink({ clock });
  const { peer } = await played().greet({ heartbeatMs: 5000 });
  await connected(link);
  await clock.advance(6000);
  await peer.next('ping');
  silence(peer);
  await clock.advance(6000);
  expect(statuses.slice(2).map(({ state, reason }) => [state, reason])).toEqual([
    ['waiting', 'no answer to a ping'],
    ['connecting', undefined],
  ]);
});

test.each([0, 1e12, Number.NaN, 'x'])('does not take a heartbeat of %s from the server', async (heartbeatMs) => {
  const clock = fakeClock();
  const { link } = openLink({ clock });
  const { peer } = await played().greet({ heartbeatMs });
  await connected(link);
  expect(link.welcome?.heartbeatMs).toBe(25_000);
  await clock.advance(24_000);
  expect(peer.frames.map(({ type }) => type)).toEqual(['hello']);
  await clock.advance(2000);
  await peer.next('ping');
});

test('after a sleep reads what has arrived before it judges', async () => {
  const clock = fakeClock();
  const { link, frames } = openLink({ clock });
  const { peer } = await played().greet({ heartbeatMs: 5000 });
  await connected(link);
  peer.say({ type: 'news' });
  await clock.leap(3_600_000);
  expect(link.status.state).toBe('connected');
  const ping = await peer.next('ping');
  peer.say({ type: 'pong', re: ping['id'], head: 9, epoch: 'e1' });
  peer.say({ type: 'more' });
  await vi.waitFor(() => expect(frames).toEqual(['news', 'more']));
  await clock.advance(2000);
  expect(link.status.state).toBe('connected');
});

test('gives up a handshake that takes too long', async () => {
  const clock = fakeClock();
  const { statuses } = openLink({ clock });
  await played().nextPeer();
  await clock.advance(12_000);
  expect(statuses[1]).toMatchObject({ state: 'waiting', reason: 'no welcome in time' });
});

test('a hidden page that waits for a minute tries once a minute, and at once when it is seen', async () => {
  const { environment, report } = playedEnvironment();
  const clock = fakeClock();
  let asked = 0;
  const { link } = openLink({
    environment,
    clock,
    limits: { reconnect: { minMs: 1000, maxMs: 1000 } },
    getToken() {
      asked++;
      throw new Error('no network');
    },
  });
  report('hidden');
  await clock.advance(62_000);
  asked = 0;
  await clock.advance(180_000);
  expect(asked).toBe(3);
  report('visible');
  await clock.advance(0);
  expect(asked).toBe(4);
  link.close();
});
