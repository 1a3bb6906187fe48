import { beforeEach, describe, expect, test } from 'vitest';
import type { ProcessRow } from '../../../../shared/history/gate-rows.ts';
import { createSilence, type Silence, silentMs } from '../../../../workers/jobs/silence.ts';

const everyMs = 3000;

const rowOf = (id: string, since = 1): ProcessRow => ({
  id,
  role: 'gateway',
  host: 'host-1',
  bootId: '0b8c',
  pidNamespace: 'pid:[4026531836]',
  pid: 4711,
  pidStart: '123456',
  formats: 2,
  since,
});

describe('silence', () => {
  let silence: Silence;
  let now: number;
  let open: string | null;
  let reporting: string[];

  beforeEach(() => {
    silence = createSilence();
    [now, open, reporting] = [1_000_000, 'run-1 7', []];
  });

  /** Looks regularly, this long and once more at the end. */
  function lookFor(ms: number): void {
    for (const until = now + ms; now < until; now += everyMs) silence.look(now, open, reporting);
    silence.look(now, open, reporting);
  }
  const silentOf = (...rows: ProcessRow[]): string[] => silence.among(now, rows).map(({ id }) => id);

  test('a process without a report is silent after a minute, not before', () => {
    reporting = ['alive'];
    lookFor(0);
    expect(silentOf(rowOf('dead'), rowOf('alive'))).toEqual([]);
    lookFor(silentMs - everyMs);
    expect(silentOf(rowOf('dead'), rowOf('alive'))).toEqual([]);
    lookFor(everyMs);
    expect(silentOf(rowOf('dead'), rowOf('alive'))).toEqual(['dead']);
  });

  test('one report begins the minute again', () => {
    silentOf(rowOf('a'));
    lookFor(silentMs / 2);
    reporting = ['a'];
    lookFor(0);
    reporting = [];
    lookFor(silentMs - everyMs);
    expect(silentOf(rowOf('a'))).toEqual([]);
    lookFor(everyMs);
    expect(silentOf(rowOf('a'))).toEqual(['a']);
  });

  test('a row counts from the moment it was first seen: a new process has not reported yet', () => {
    lookFor(2 * silentMs);
    expect(silentOf(rowOf('new'))).toEqual([]);
    lookFor(silentMs - everyMs);
    expect(silentOf(rowOf('new'))).toEqual([]);
    lookFor(everyMs);
    expect(silentOf(rowOf('new'))).toEqual(['new']);
  });

  test('a process that has enlisted again is a new one', () => {
    silentOf(rowOf('a'));
    lookFor(2 * silentMs);
    expect(silentOf(rowOf('a', 2))).toEqual([]);
    expect(silentOf(rowOf('a', 2))).toEqual([]);
    lookFor(silentMs);
    expect(silentOf(rowOf('a', 2))).toEqual(['a']);
  });

  test.each([
    ['another run', 'run-2 7'],
    ['another opening of the same run', 'run-1 8'],
  ])('%s begins the minute again for everybody', (_, next) => {
    silentOf(rowOf('a'));
    lookFor(silentMs - everyMs);
    open = next;
    lookFor(everyMs);
    expect(silentOf(rowOf('a'))).toEqual([]);
    lookFor(silentMs - everyMs);
    expect(silentOf(rowOf('a'))).toEqual(['a']);
  });

  test('while Redis is not open nobody is silent, and the minute begins when it is', () => {
    silentOf(rowOf('a'));
    open = null;
    lookFor(3 * silentMs);
    expect(silentOf(rowOf('a'))).toEqual([]);
    open = 'run-1 7';
    lookFor(silentMs - everyMs);
    expect(silentOf(rowOf('a'))).toEqual([]);
    lookFor(everyMs);
    expect(silentOf(rowOf('a'))).toEqual(['a']);
  });

  test('a closing that ended between two looks counts by its number', () => {
    silentOf(rowOf('a'));
    lookFor(silentMs);
    open = 'run-1 8';
    silence.look(now, open, reporting);
    expect(silentOf(rowOf('a'))).toEqual([]);
  });

  test('where nobody has looked for a while, the minute begins again: a report may have gone unnoticed', () => {
    silentOf(rowOf('a'));
    lookFor(silentMs - everyMs);
    now += 10_000;
    expect(silentOf(rowOf('a'))).toEqual([]);
    lookFor(silentMs - everyMs);
    expect(silentOf(rowOf('a'))).toEqual([]);
    lookFor(everyMs);
    expect(silentOf(rowOf('a'))).toEqual(['a']);
    now += 10_000;
    expect(silentOf(rowOf('a'))).toEqual([]);
  });
});
