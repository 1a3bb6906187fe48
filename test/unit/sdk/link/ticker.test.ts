import { expect, test } from 'vitest';
import { everySecond } from '../../../../sdk/src/link/ticker.ts';
import { fakeClock } from '../../../../sdk/src/testing/fake-clock.ts';

/** One timer for all links of a process. */

test('one timer serves all who listen, and none runs without them', async () => {
  const clock = fakeClock();
  let timers = 0;
  const counting = { ...clock, after: (ms: number, run: () => void) => (timers++, clock.after(ms, run)) };
  const heard: string[] = [];
  const ends = ['a', 'b', 'c'].map((name) => everySecond(counting, () => heard.push(name)));
  await clock.advance(2000);
  expect(heard.join('')).toBe('abcabc');
  expect(timers).toBe(3);
  ends[1]!();
  await clock.advance(1000);
  expect(heard.join('')).toBe('abcabcac');
  for (const end of ends) end();
  expect(clock.next).toBeUndefined();
  everySecond(counting, () => heard.push('d'));
  await clock.advance(1000);
  expect(heard.at(-1)).toBe('d');
});

test('a tick says how late it is, and who has left during a tick is not called', async () => {
  const clock = fakeClock();
  const late: number[] = [];
  everySecond(clock, (_, lateMs) => {
    late.push(lateMs);
    endOther();
  });
  const endOther = everySecond(clock, () => late.push(Number.NaN));
  await clock.advance(1000);
  await clock.leap(60_000);
  expect(late).toEqual([0, 59_000]);
});
