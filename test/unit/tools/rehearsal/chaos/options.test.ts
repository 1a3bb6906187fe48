import { describe, expect, test } from 'vitest';
import { type ChaosOptions, readOptions } from '../../../../../tools/rehearsal/chaos/options.ts';
import { summary, tableHead, tableRow, violationLines } from '../../../../../tools/rehearsal/chaos/report.ts';

const read = (...args: string[]): ChaosOptions => readOptions(args) as ChaosOptions;
const names = ({ runs }: ChaosOptions): string[] => runs.map((run) => run.map(({ name }) => name).join('+'));

describe('the options', () => {
  test('are all faults with seed 1 by default', () => {
    const options = read();
    expect(options).toMatchObject({ seeds: [1], on: 'redis', store: 'sqlite', level: 'accepted', mode: 'liveness' });
    expect(names(options)).toEqual(expect.arrayContaining(['F0', 'F7a', 'F44']));
  });

  test('choose faults by number, by name, together or by group', () => {
    expect(names(read('--only', 'F7,F1'))).toEqual(['F7a', 'F7b', 'F7c', 'F7d', 'F7e', 'F7f', 'F7g', 'F7p', 'F1']);
    expect(names(read('--only', 'F7a,F5+F22'))).toEqual(['F7a', 'F5+F22']);
    expect(names(read('--group', 'wipes'))).toEqual(['F8a', 'F8b', 'F39a', 'F39b']);
  });

  test('count seeds from the first one on', () => {
    expect(read('--seed', '40', '--seeds', '3').seeds).toEqual([40, 41, 42]);
  });

  test('take settings of the processes', () => {
    expect(read().env).toEqual({});
    expect(read('--env', 'SHORT_WAY=1', '--env', 'NOTIFY_URL=http://a/?b=c').env).toEqual({
      SHORT_WAY: '1',
      NOTIFY_URL: 'http://a/?b=c',
    });
  });

  test.each([
    ['--env SHORT_WAY', '--env is a setting as NAME=VALUE'],
    ['--only F99', 'no fault F99'],
    ['--group cut', '--group is one of'],
    ['--on cluster', '--on is one of redis, replica'],
    ['--seeds 0', '--seeds must be a whole number from 1 on'],
    ['--seed x', '--seed must be a whole number'],
    ['--only F1 --group cuts', 'not both'],
    ['--what', '--what'],
  ])('%s is refused with a sentence', (text, message) => {
    expect(() => readOptions(text.split(' '))).toThrow(message);
  });
});

describe('the report', () => {
  const counts = {
    accepted: 900,
    unknown: 1,
    delivered: 1800,
    redelivered: 3,
    lost: 2,
    duplicated: 0,
    reordered: 0,
    leaked: 0,
    amended: 0,
    resurfaced: 0,
    gaps: 4,
    epochChanges: 1,
    falseAlarms: 0,
  };
  const broken = {
    invariant: 'I1',
    says: 'stored',
    count: 1,
    examples: [{ text: 'm1 is lost', evidence: ['line 7'] }],
  };
  const row = { fault: 'F7a', seed: 3, unavailableMs: 812, drainedMs: 2044, counts, found: [broken], total: 1 };
  const well = { ...row, found: [], total: 0 };

  test('has a row for each run, under its head', () => {
    expect(tableRow(row)).toMatch(/^F7a +3 +900 +2 +0 +0 +0 +0 +0 +1 +812 +2044 +1 VIOLATIONS$/);
    expect(tableRow(well)).toMatch(/ ok$/);
    expect(tableRow({ fault: 'F11', seed: 1, skipped: 'needs a replica' })).toBe(
      'F11         skipped: needs a replica',
    );
    expect(tableHead().indexOf('result')).toBe(tableRow(well).indexOf('ok'));
  });

  test('shows what was broken, with its evidence', () => {
    expect(violationLines(row)).toEqual([
      '  F7a seed 3: I1 (stored) is broken 1 times',
      '    m1 is lost',
      '      line 7',
    ]);
  });

  test('ends with one object that adds up the violations and names what was skipped', () => {
    const head = { seed: 3, commit: 'abc', on: 'redis', store: 'sqlite', level: 'accepted', mode: 'liveness' };
    expect(summary(head, [row, { fault: 'F11', seed: 3, skipped: 'needs a replica' }])).toMatchObject({
      ...head,
      faults: [{ name: 'F7a', acked: 900, lost: 2, unknown: 1, unavailable_ms: 812, drained_ms: 2044, violations: 1 }],
      skipped: [{ name: 'F11', why: 'needs a replica' }],
      violations: 1,
    });
  });
});
