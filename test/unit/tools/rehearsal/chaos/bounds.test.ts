import { expect, test } from 'vitest';
import { checkBounds } from '../../../../../tools/rehearsal/chaos/checker/ending.ts';
import type { Facts } from '../../../../../tools/rehearsal/chaos/checker/facts.ts';
import type { Report } from '../../../../../tools/rehearsal/chaos/checker/report.ts';
import type { Truth } from '../../../../../tools/rehearsal/chaos/checker/truth.ts';

type Measured = Record<string, [baseline: number, end: number]>;

/** What is found of descriptors, by process. */
function foundOf(fds: Measured): string[] {
  const found: string[] = [];
  const measured = Object.entries(fds).flatMap(([of, [baseline, end]]) => [
    { line: 1, phase: 'baseline', what: 'fds', of, value: baseline },
    { line: 2, phase: 'end', what: 'fds', of, value: end },
  ]);
  const report = { violation: (_: string, text: string) => void found.push(text) };
  checkBounds({ measured } as unknown as Facts, {} as Truth, report as unknown as Report);
  return found;
}

test('clients that come to another gateway take nothing', () => {
  expect(foundOf({ 'web-1': [96, 190], 'web-2': [96, 30], 'fanout-1': [40, 41] })).toEqual([]);
});

test('descriptors that are not given back are found, of gateways together and of a worker alone', () => {
  expect(foundOf({ 'web-1': [96, 190], 'web-2': [96, 150] })).toEqual(['fds of the gateways was 192 and is 340']);
  expect(foundOf({ 'fanout-1': [40, 101], 'fanout-2': [40, 10] })).toEqual(['fds of fanout-1 was 40 and is 101']);
});
