import { expect, test } from 'vitest';
import { readWelcome } from '../../../../sdk/src/link/read-welcome.ts';
import { createRequests } from '../../../../sdk/src/requests.ts';

/** Numbers of a server that would stop a client. */

test.each([0, -1, 10 ** 12, '25', null])('a heartbeat of %s is that of a good server', (heartbeatMs) => {
  expect(readWelcome({ type: 'welcome', user: 'a', epoch: 'e', heartbeatMs })!.heartbeatMs).toBe(25_000);
});

test('positions that are none are 0, and a token without an end has none', () => {
  const welcome = readWelcome({ type: 'welcome', user: 'a', epoch: 'e', position: -3, head: 'x', expiresAt: null });
  expect(welcome).toMatchObject({ position: 0, head: 0, expiresAt: Number.POSITIVE_INFINITY });
});

test.each([
  [-1, 0],
  [10 ** 9, 60_000],
  ['soon', undefined],
])('a wait of %s ms that the server asks for is %s ms', async (retryAfterMs, expected) => {
  const requests = createRequests(
    () => {},
    () => 0,
    () => {},
  );
  const asked = requests.ask({ type: 'read' });
  requests.settle({ type: 'error', re: 'q1', code: 'rate_limited', message: '', retryable: true, retryAfterMs });
  const refusal = await asked.then(
    () => null,
    (error: { retryAfterMs?: number }) => error,
  );
  expect(refusal!.retryAfterMs).toBe(expected);
});
