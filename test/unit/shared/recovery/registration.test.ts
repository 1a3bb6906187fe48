import { expect, test } from 'vitest';
import type { GateRows, ProcessRow, SlotRow } from '../../../../shared/history/gate-rows.ts';
import { createRegistration } from '../../../../shared/recovery/registration.ts';

/** A process answers for what it did only while its row certainly stands. */

function registered(slots: [string, SlotRow][] = []) {
  const rows = new Map<string, ProcessRow>();
  const time = { monotonic: 1000, wall: 1_700_000_000_000 };
  const calls: string[] = [];
  const history: Pick<GateRows, 'enlist' | 'enlisted' | 'slots' | 'dismiss'> = {
    async enlist(row) {
      calls.push('enlist');
      rows.set(row.id, row);
    },
    enlisted: async () => [...rows.values()],
    async slots() {
      calls.push('slots');
      return new Map(slots);
    },
    async dismiss(ids) {
      for (const id of ids) rows.delete(id);
    },
  };
  const registration = createRegistration(
    history,
    { id: 'me', role: 'web' },
    { monotonicMs: () => time.monotonic, wallMs: () => time.wall },
  );
  const pass = (monotonic: number, wall = monotonic): void => {
    time.monotonic += monotonic;
    time.wall += wall;
  };
  return { registration, rows, calls, pass };
}

test('writes the row, and only then reads the number that it may serve under', async () => {
  const { registration, rows, calls } = registered([
    ['p0', { gate: 4, mark: 0 }],
    ['i0', { gate: 7, mark: 2 }],
  ]);
  expect(registration.isHeard()).toBe(false);
  expect(await registration.enlist()).toBe(7);
  expect(calls).toEqual(['enlist', 'slots']);
  expect(rows.get('me')).toMatchObject({ role: 'web', pid: process.pid });
  expect(registration.isHeard()).toBe(true);
});

test('is heard of for 20 s after each report, counted from before it was sent', async () => {
  const { registration, pass } = registered();
  await registration.enlist();
  pass(15_000);
  const began = registration.now();
  pass(4000);
  registration.heard(began);
  pass(15_999);
  expect(registration.isHeard()).toBe(true);
  pass(1);
  expect(registration.isHeard()).toBe(false);
});

test.each([
  ['was paused while its machine slept: only the wall clock went on', 0, 20_000],
  ['was paused while its wall clock was set back', 20_000, -60_000],
  ['has a wall clock that leapt ahead', 1, 3 * 3_600_000],
])('is not heard of if it %s', async (_, monotonic, wall) => {
  const { registration, pass } = registered();
  await registration.enlist();
  pass(monotonic, wall);
  expect(registration.isHeard()).toBe(false);
  // The report of a process that woke up says nothing about its row.
  registration.heard(registration.now());
  expect(registration.isHeard()).toBe(false);
  await registration.enlist();
  expect(registration.isHeard()).toBe(true);
});

test('a wall clock that was set back alone changes nothing', async () => {
  const { registration, pass } = registered();
  await registration.enlist();
  pass(5000, -3_600_000);
  expect(registration.isHeard()).toBe(true);
});

test('leaves with its row, and takes nobody else for itself', async () => {
  const { registration, rows } = registered();
  await registration.enlist();
  rows.set('other', { ...rows.get('me')!, id: 'other', pidStart: 'another start' });
  rows.set('elsewhere', { ...rows.get('me')!, id: 'elsewhere', host: 'elsewhere', pidStart: 'another start' });
  expect(await registration.enlisted()).toEqual([
    { id: 'me', dead: false },
    { id: 'other', dead: process.platform === 'linux' },
    { id: 'elsewhere', dead: false },
  ]);
  await registration.leave(new Map());
  expect([...rows.keys()]).toEqual(['other', 'elsewhere']);
  expect(registration.isHeard()).toBe(false);
});
