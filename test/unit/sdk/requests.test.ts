import { expect, test } from 'vitest';
import { ConnectionLost, createRequests } from '../../../sdk/src/requests.ts';
import type { Frame } from '../../../sdk/src/wire.ts';

test('a request after the end of its connection is rejected like those that were open', async () => {
  const sent: Frame[] = [];
  const outcomes: string[] = [];
  const requests = createRequests(
    (frame) => sent.push(frame),
    () => 0,
    ({ outcome }) => outcomes.push(outcome),
  );
  const open = requests.ask({ type: 'history' });
  requests.abandon();
  await expect(open).rejects.toThrow(ConnectionLost);
  await expect(requests.ask({ type: 'history' })).rejects.toThrow(ConnectionLost);
  await requests.idle();
  expect([sent.length, outcomes]).toEqual([1, ['lost']]);
});
