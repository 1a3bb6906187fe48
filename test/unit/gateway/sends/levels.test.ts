import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLevels } from '../../../../gateway/sends/levels.ts';
import type { Sought } from '../../../../gateway/sends/stored-lookup.ts';
import { Refusal } from '../../../../shared/model/errors.ts';
import type { Level } from '../../../../shared/model/levels.ts';
import type { Accepted } from '../../../../shared/model/results.ts';
import type { Means } from '../../../../shared/redis/durability.ts';
import { noting } from '../../../support/noting.ts';

/** Answers that wait for their level, with the barrier, the archive and history played. */

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

type Playing = { means?: Means; byDefault?: Level; waitMs?: number };

function play({ means = 'waitaof', byDefault = 'accepted', waitMs = 1000 }: Playing = {}) {
  const { metrics } = noting();
  const state = { run: 'r1', durability: { run: 'r1', means } };
  const barriers: { run: string; passed: (isDurable: boolean) => void }[] = [];
  const sought = new Map<Sought, number>();
  let found: (one: Sought) => void = () => undefined;
  const levels = createLevels({
    byDefault,
    waitMs,
    acceptingRun: () => state.run,
    durability: state.durability,
    barrier: { pass: (run, passed) => void barriers.push({ run, passed }) },
    lookup: (tell) => {
      found = tell;
      return {
        seek: (one, afterMs) => void sought.set(one, afterMs ?? 0),
        forget: (one) => void sought.delete(one),
        stop: () => undefined,
      };
    },
    metrics,
  });
  let seq = 0;
  return {
    levels,
    state,
    barriers,
    sought,
    find: () => found([...sought.keys()][0]!),
    /** Begins to wait; the outcome is in the list once there is one. */
    wait(level: Level, more: Partial<Accepted> = {}): string[] {
      const outcomes: string[] = [];
      seq += 1;
      levels.begin(
        { id: `1-${seq}-0`, conversation: 'c', seq, at: 1, duplicate: false, ...more },
        level,
        (outcome) => void outcomes.push(outcome instanceof Refusal ? outcome.code : outcome),
      );
      return outcomes;
    },
    missed: async () => (await metrics.levelMissed.get()).values.map(({ labels, value }) => [labels.level, value]),
  };
}

test('accepted waits for nothing', () => {
  expect(play().wait('accepted')).toEqual(['accepted']);
});

test('durable waits for a barrier of the run that accepted it', () => {
  const { wait, barriers } = play();
  const outcomes = wait('durable');
  expect(outcomes).toEqual([]);
  expect(barriers.map(({ run }) => run)).toEqual(['r1']);
  barriers[0]!.passed(true);
  expect(outcomes).toEqual(['durable']);
});

test('where Redis syncs before it answers, durable is reached at once', () => {
  const { wait, barriers } = play({ means: 'at-once' });
  expect(wait('durable')).toEqual(['durable']);
  expect(barriers).toEqual([]);
});

test.each([
  ['the run has changed since', (played: ReturnType<typeof play>) => (played.state.durability.run = 'r2')],
  ['the connection has closed', (played: ReturnType<typeof play>) => (played.state.run = '')],
])('no barrier speaks for a message if %s: history is asked', (_, change) => {
  for (const means of ['waitaof', 'at-once'] as const) {
    const played = play({ means });
    change(played);
    const outcomes = played.wait('durable');
    expect(played.barriers).toEqual([]);
    expect(outcomes).toEqual([]);
    played.find();
    expect(outcomes).toEqual(['stored']);
  }
});

test('nor for a duplicate that only history knew', () => {
  const played = play({ means: 'at-once' });
  const outcomes = played.wait('durable', { duplicate: true, fromHistory: true });
  expect(outcomes).toEqual([]);
  played.find();
  expect(outcomes).toEqual(['stored']);
});

test('a barrier that fails leads to history', () => {
  const { wait, barriers, find, sought } = play();
  const outcomes = wait('durable');
  expect(sought.size).toBe(0);
  barriers[0]!.passed(false);
  expect(outcomes).toEqual([]);
  find();
  expect(outcomes).toEqual(['stored']);
});

test('stored is told by the archive, of the right partition, and history is asked later', () => {
  const { levels, wait, sought } = play();
  const [first, second] = [wait('stored'), wait('stored')];
  expect([...sought.values()].every((afterMs) => afterMs > 0)).toBe(true);
  levels.stored(2, ['1-0', '2-0']);
  expect([first, second]).toEqual([[], []]);
  levels.stored(1, ['2-0', '9-0']);
  expect([first, second]).toEqual([[], ['stored']]);
  expect(sought.size).toBe(1);
});

test('a duplicate is sought at once: the archive may have told of it before', () => {
  const { wait, sought } = play();
  wait('stored', { duplicate: true });
  expect([...sought.values()]).toEqual([0]);
});

test('after ACK_WAIT_MS the answer says what was reached, and a late barrier changes nothing', async () => {
  const { wait, barriers, missed } = play({ waitMs: 1000 });
  const early = wait('durable');
  vi.advanceTimersByTime(600);
  const late = wait('stored');
  vi.advanceTimersByTime(500);
  expect([early, late]).toEqual([['accepted'], []]);
  barriers[0]!.passed(true);
  vi.advanceTimersByTime(600);
  expect([early, late]).toEqual([['accepted'], ['accepted']]);
  expect(await missed()).toEqual([
    ['durable', 1],
    ['stored', 1],
  ]);
});

test('an answer that is durable without waiting says so when stored comes too late', () => {
  const { wait } = play({ means: 'at-once' });
  const outcomes = wait('stored');
  vi.advanceTimersByTime(1100);
  expect(outcomes).toEqual(['durable']);
});

test('a new epoch makes every waiting answer unknown, and only those', () => {
  const { levels, wait, barriers } = play();
  const [durable, stored] = [wait('durable'), wait('stored')];
  levels.epochChanged();
  expect([durable, stored]).toEqual([['unknown_outcome'], ['unknown_outcome']]);
  barriers[0]!.passed(true);
  vi.advanceTimersByTime(2000);
  expect(durable).toEqual(['unknown_outcome']);
  const after = wait('durable');
  barriers[1]!.passed(true);
  expect(after).toEqual(['durable']);
});

test('a process that stops waits less long', () => {
  const { levels, wait } = play({ waitMs: 5000 });
  const outcomes = wait('stored');
  vi.advanceTimersByTime(100);
  levels.hurry(200);
  expect(outcomes).toEqual([]);
  vi.advanceTimersByTime(150);
  expect(outcomes).toEqual(['accepted']);
});

test('a level that cannot be given is bad_request if it is named, and waits for history if it is the default', () => {
  const played = play({ means: null, byDefault: 'durable' });
  expect(played.levels.given).toEqual(['accepted', 'stored']);
  expect(() => played.levels.asked('durable')).toThrow(expect.objectContaining({ code: 'bad_request' }));
  expect(played.levels.asked('accepted')).toBe('accepted');
  const outcomes = played.wait(played.levels.asked(undefined));
  played.find();
  expect(outcomes).toEqual(['stored']);
});

test('beyond 100,000 waiting answers, sends that ask for more are refused, and others are not', () => {
  const { levels, wait } = play();
  for (let i = 0; i < 100_000; i++) wait('durable');
  expect(() => levels.asked('stored')).toThrow(expect.objectContaining({ code: 'retry_later' }));
  expect(levels.asked(undefined)).toBe('accepted');
  expect(levels.waiting()).toEqual([
    { level: 'durable', count: 100_000 },
    { level: 'stored', count: 0 },
  ]);
});
