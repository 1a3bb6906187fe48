import { expect, test } from 'vitest';
import { createAttendance } from '../../../bench/attendance.ts';
import { readDeliver } from '../../../bench/frames.ts';

test('a message has reached all when the last listener has it, and is done with its answer', () => {
  const attendance = createAttendance(2, true);
  let done = false;
  const [number = -1] = attendance.send(1, 1000, () => (done = true));
  attendance.deliver(number, 0, 2000);
  expect(attendance.reach(number)).toEqual({ reachedMs: null, acceptedMs: null });
  attendance.deliver(number, 1, 3000);
  expect(done).toBe(false);
  attendance.accept(number, 1, 4000);
  expect(done).toBe(true);
  expect(attendance.reach(number)).toEqual({ reachedMs: 2, acceptedMs: 3 });
  expect(attendance.faults()).toEqual({ sent: 1, lost: 0, duplicated: 0, announced: 0 });
});

test('what neither came nor was announced is lost, what came twice is duplicated', () => {
  const attendance = createAttendance(3, true);
  const [first = -1, second = -1] = attendance.send(2, 0, () => {});
  attendance.accept(first, 1, 1);
  attendance.deliver(first, 0, 1);
  expect(attendance.deliver(first, 0, 1)).toBe(false);
  expect(attendance.faults()).toEqual({ sent: 2, lost: 2, duplicated: 1, announced: 0 });
  attendance.accept(second, 2, 1);
  expect(attendance.faults().lost).toBe(5);
});

test('a gap ends the waiting for a listener, also when it comes before the answer', () => {
  const attendance = createAttendance(2, true);
  let done = false;
  const [first = -1, second = -1] = attendance.send(2, 0, () => (done = true));
  attendance.announce(0, { fromSeq: 7, toSeq: 7 });
  attendance.accept(first, 7, 1);
  attendance.accept(second, 8, 1);
  attendance.deliver(first, 1, 1);
  attendance.deliver(second, 0, 1);
  expect(done).toBe(false);
  attendance.deliver(second, 1, 2);
  expect(done).toBe(true);
  expect(attendance.reach(first).reachedMs).toBeNull();
  expect(attendance.reach(second).reachedMs).not.toBeNull();
  expect(attendance.faults()).toMatchObject({ lost: 0, announced: 1 });
  expect(attendance.deliver(first, 0, 3)).toBe(true);
  expect(attendance.faults()).toMatchObject({ lost: 0, announced: 0, duplicated: 0 });
});

test('a straggler of an earlier batch does not end the waiting for a later one', () => {
  const attendance = createAttendance(1, false);
  const [late = -1] = attendance.send(1, 0, () => {});
  let done = false;
  const [next = -1] = attendance.send(1, 0, () => (done = true));
  attendance.deliver(late, 0, 1);
  expect(done).toBe(false);
  attendance.deliver(next, 0, 1);
  expect(done).toBe(true);
});

test('deliver frames are read with positions, without, and mixed', () => {
  const item = (number: number, seq: number, position: number | undefined): object => ({
    position,
    message: {
      id: 'x',
      seq,
      sender: 'a',
      body: `bench:${String(number).padStart(9, '0')}:${'5'.padStart(10, '0')}:xx`,
      at: 1,
    },
  });
  const frame = JSON.stringify({
    type: 'deliver',
    items: [item(3, 7, undefined), item(4, 8, 12), item(5, 9, undefined)],
  });
  const expected = [
    { number: 3, sentUs: 5, position: undefined, seq: 7 },
    { number: 4, sentUs: 5, position: 12, seq: 8 },
    { number: 5, sentUs: 5, position: undefined, seq: 9 },
  ];
  // Once compared with the slow way, once not.
  expect(readDeliver(frame)).toEqual(expected);
  expect(readDeliver(frame)).toEqual(expected);
});
