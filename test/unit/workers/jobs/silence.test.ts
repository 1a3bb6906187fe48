import { beforeEach, describe, expect, test } from 'vitest';
import type { ProcessRow } from '../../../../shared/history/gate-rows.ts';
import { createSilence, type Silence, silentMs } from '../../../../workers/jobs/silence.ts';
import { processRow } from '../../../support/process-row.ts';

const everyMs = 3000;

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
    expect(silentOf(processRow('dead'), processRow('alive'))).toEqual([]);
    lookFor(silentMs - everyMs);
    expect(silentOf(processRow('dead'), processRow('alive'))).toEqual([]);
    lookFor(everyMs);
    expect(silentOf(processRow('dead'), processRow('alive'))).toEqual(['dead']);
  });

  test('one report begins the minute again', () => {
    silentOf(processRow('a'));
    lookFor(silentMs / 2);
    reporting = ['a'];
    lookFor(0);
    reporting = [];
    lookFor(silentMs - everyMs);
    expect(silentOf(processRow('a'))).toEqual([]);
    lookFor(everyMs);
    expect(silentOf(processRow('a'))).toEqual(['a']);
  });

  test('a row counts from the moment it was first seen: a new process has not reported yet', () => {
    lookFor(2 * silentMs);
    expect(silentOf(processRow('new'))).toEqual([]);
    lookFor(silentMs - everyMs);
    expect(silentOf(processRow('new'))).toEqual([]);
    lookFor(everyMs);
    expect(silentOf(processRow('new'))).toEqual(['new']);
  });

  test('a process that has enlisted again is a new one', () => {
    silentOf(processRow('a'));
    lookFor(2 * silentMs);
    expect(silentOf(processRow('a', { since: 2 }))).toEqual([]);
    expect(silentOf(processRow('a', { since: 2 }))).toEqual([]);
    lookFor(silentMs);
    expect(silentOf(processRow('a', { since: 2 }))).toEqual(['a']);
  });

  test.each([
    ['another run', 'run-2 7'],
    ['another opening of the same run', 'run-1 8'],
  ])('%s begins the minute again for everybody', (_, next) => {
    silentOf(processRow('a'));
    lookFor(silentMs - everyMs);
    open = next;
    lookFor(everyMs);
    expect(silentOf(processRow('a'))).toEqual([]);
    lookFor(silentMs - everyMs);
    expect(silentOf(processRow('a'))).toEqual(['a']);
  });

  test('while Redis is not open nobody is silent, and the minute begins when it is', () => {
    silentOf(processRow('a'));
    open = null;
    lookFor(3 * silentMs);
    expect(silentOf(processRow('a'))).toEqual([]);
    open = 'run-1 7';
    lookFor(silentMs - everyMs);
    expect(silentOf(processRow('a'))).toEqual([]);
    lookFor(everyMs);
    expect(silentOf(processRow('a'))).toEqual(['a']);
  });

  test('a closing that ended between two looks counts by its number', () => {
    silentOf(processRow('a'));
    lookFor(silentMs);
    open = 'run-1 8';
    silence.look(now, open, reporting);
    expect(silentOf(processRow('a'))).toEqual([]);
  });

  test('where nobody has looked for a while, the minute begins again: a report may have gone unnoticed', () => {
    silentOf(processRow('a'));
    lookFor(silentMs - everyMs);
    now += 10_000;
    expect(silentOf(processRow('a'))).toEqual([]);
    lookFor(silentMs - everyMs);
    expect(silentOf(processRow('a'))).toEqual([]);
    lookFor(everyMs);
    expect(silentOf(processRow('a'))).toEqual(['a']);
    now += 10_000;
    expect(silentOf(processRow('a'))).toEqual([]);
  });
});
