import { expect, test } from 'vitest';
import { explore, told } from './explore.ts';
import { all, lateArchive, type Rules } from './late-archive.ts';

const twice = 'x has two seqs';

test('a message that is stored late, or never, is accepted once', () => {
  const exploration = explore(lateArchive(all));
  expect(told(exploration)).toMatch(/^no violation/);
  expect(exploration.states).toBeGreaterThan(1000);
});

test.each<[keyof Rules, string]>([
  ['fence', twice],
  ['oneStep', twice],
  ['ofReading', twice],
  ['first', twice],
  ['readsAgain', 'never comes to rest'],
  ['refill', twice],
  ['loadOfEpoch', twice],
])('without the rule "%s": %s', (rule, fault) => {
  expect(explore(lateArchive({ ...all, [rule]: false })).violation).toBe(fault);
});
