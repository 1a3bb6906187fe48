import { expect, test, vi } from 'vitest';
import type { RequestEnd } from '../../../../sdk/src/requests.ts';
import { fakeClock } from '../../../../sdk/src/testing/fake-clock.ts';
import { openLink, played, playServerForLinks } from './played-link.ts';

/** The server's time, and what the link tells of its frames and requests. */

playServerForLinks();

const connected = (link: { usable: boolean }) => vi.waitFor(() => expect(link.usable).toBe(true));
const day = 86_400_000;

test('its time is that of the welcome, and from then on that of the last pong', async () => {
  const clock = fakeClock();
  const { link } = openLink({ clock });
  expect(link.now()).toBe(clock.now());
  const { peer } = await played().greet({ now: clock.now() - day });
  await connected(link);
  expect(link.now()).toBe(clock.now() - day);
  // The clock of the device is set right: until the next pong the time here is a day behind.
  await clock.leap(-day);
  const asked = link.ask({ type: 'ping' });
  peer.say({ type: 'pong', re: (await peer.next('ping'))['id'], head: 9, epoch: 'e1', now: clock.now() });
  await asked;
  expect(link.now()).toBe(clock.now());
});

test.each([undefined, 'x', null])('a welcome whose time is %s leaves the time of the device', async (now) => {
  const clock = fakeClock();
  const { link } = openLink({ clock });
  await played().greet({ now });
  await connected(link);
  expect(link.now()).toBe(clock.now());
});

test('tells how each request ended, and the length of its answer', async () => {
  const clock = fakeClock();
  const ended: RequestEnd[] = [];
  const { link } = openLink({
    clock,
    limits: () => ({ reconnect: { minMs: 5, maxMs: 5 }, requestTimeoutMs: 3000 }),
    events: { request: (request) => ended.push(request) },
  });
  const { peer } = await played().greet();
  await connected(link);
  const asked = ['one', 'two', 'three', 'four'].map((type) => link.ask({ type }).catch((error: Error) => error.name));
  const id = async (type: string) => (await peer.next(type))['id'];
  const answer = { type: 'answer', re: await id('one') };
  peer.say(answer);
  peer.say({ type: 'error', re: await id('two'), code: 'rate_limited', message: '', retryable: true });
  await vi.waitFor(() => expect(ended).toHaveLength(2));
  await clock.advance(4000);
  const fifth = link.ask({ type: 'five' }).catch((error: Error) => error.name);
  await peer.next('five');
  peer.socket.terminate();
  expect(await Promise.all([...asked.slice(1), fifth])).toEqual(['Refusal', 'Refusal', 'Refusal', 'ConnectionLost']);
  expect(ended.map(({ type, outcome }) => [type, outcome])).toEqual([
    ['one', 'ok'],
    ['two', 'rate_limited'],
    ['three', 'no_answer'],
    ['four', 'no_answer'],
    ['five', 'lost'],
  ]);
  expect(ended[0]).toMatchObject({ length: JSON.stringify(answer).length, answer });
  expect(ended[2]!.ms).toBeGreaterThanOrEqual(3000);
});

test('tells of every frame, in both directions', async () => {
  const seen: string[] = [];
  const { link } = openLink({
    events: { traffic: (direction, { type }, length) => void (length > 0 && seen.push(`${direction} ${type}`)) },
  });
  const { peer } = await played().greet();
  await connected(link);
  link.tell({ type: 'received', position: 1 });
  peer.say({ type: 'news' });
  await vi.waitFor(() => expect(seen).toEqual(['out hello', 'in welcome', 'out received', 'in news']));
});
