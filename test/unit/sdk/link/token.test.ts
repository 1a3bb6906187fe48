import { expect, test, vi } from 'vitest';
import type { TokenRequest } from '../../../../sdk/src/link/api.ts';
import { fakeClock } from '../../../../sdk/src/testing/fake-clock.ts';
import { openLink, played, playServerForLinks } from './played-link.ts';

playServerForLinks();

function tokens(...given: string[]) {
  const reasons: string[] = [];
  const getToken = ({ reason }: TokenRequest): string => {
    reasons.push(reason);
    return given.length > 1 ? given.shift()! : given[0]!;
  };
  return { reasons, getToken };
}

test('asks for another token after a refusal, and goes on with it', async () => {
  const { reasons, getToken } = tokens('old', 'new');
  const { link } = openLink({ getToken });
  const refused = await played().nextPeer();
  expect((await refused.next('hello'))['token']).toBe('old');
  refused.socket.close(4401, 'expired');
  const { hello } = await played().greet();
  expect(hello['token']).toBe('new');
  expect(reasons).toEqual(['first', 'refused']);
  await vi.waitFor(() => expect(link.usable).toBe(true));
});

test('closes when the refused token is all that there is; connect() tries it again', async () => {
  const { getToken } = tokens('old');
  const { link } = openLink({ getToken });
  (await played().nextPeer()).socket.close(4401);
  await vi.waitFor(() => expect(link.status).toEqual({ state: 'closed', code: 4401, reason: 'token refused' }));
  link.connect();
  await played().greet();
  await vi.waitFor(() => expect(link.usable).toBe(true));
});

test('renews a token before it expires, on the same connection', async () => {
  const clock = fakeClock();
  const { reasons, getToken } = tokens('old', 'new');
  const { link } = openLink({ clock, getToken });
  const { peer } = await played().greet({ expiresAt: clock.now() + 60_000, heartbeatMs: 300_000 });
  await vi.waitFor(() => expect(link.usable).toBe(true));
  await clock.advance(29_000);
  expect(reasons).toEqual(['first']);
  await clock.advance(2000);
  expect(reasons).toEqual(['first', 'expiring']);
  const reauth = await peer.next('reauth');
  expect(reauth['token']).toBe('new');
  peer.say({ type: 'ok', re: reauth['id'], expiresAt: clock.now() + 600_000 });
  await new Promise((resolve) => setTimeout(resolve, 20));
  await clock.advance(500_000);
  expect(reasons).toHaveLength(2);
});

test('an end that lies in the past by the clock of this device asks for nothing', async () => {
  const clock = fakeClock();
  const { reasons, getToken } = tokens('old', 'new');
  const { link } = openLink({ clock, getToken });
  await played().greet({ expiresAt: clock.now() - 86_400_000, heartbeatMs: 300_000 });
  await vi.waitFor(() => expect(link.usable).toBe(true));
  await clock.advance(20_000);
  expect(reasons).toEqual(['first']);
});

test('waits by the clock of the server where that is told', async () => {
  const clock = fakeClock();
  const { reasons, getToken } = tokens('old', 'new');
  const { link } = openLink({ clock, getToken });
  const serverNow = clock.now() + 86_400_000;
  await played().greet({ now: serverNow, expiresAt: serverNow + 60_000, heartbeatMs: 300_000 });
  await vi.waitFor(() => expect(link.usable).toBe(true));
  expect(link.now()).toBe(serverNow);
  await clock.advance(31_000);
  expect(reasons).toEqual(['first', 'expiring']);
});

test('a getToken that fails or hangs is tried again, one call at a time, and never final', async () => {
  const clock = fakeClock();
  let calls = 0;
  const { link, statuses } = openLink({
    clock,
    getToken() {
      calls++;
      if (calls === 1) throw new Error('away');
      return calls === 2 ? new Promise(() => {}) : 'token';
    },
  });
  await clock.advance(1);
  expect(statuses.at(-1)).toMatchObject({ state: 'waiting', reason: 'no token: away' });
  await clock.advance(10);
  expect(calls).toBe(2);
  await clock.advance(19_996);
  expect(statuses.at(-1)).toMatchObject({ reason: 'no token: getToken took longer than 20000 ms' });
  await clock.advance(10);
  await played().greet();
  await vi.waitFor(() => expect(link.usable).toBe(true));
  expect(calls).toBe(3);
});
