import { expect, test } from 'vitest';
import { all, amendment, type Rules } from './amending.ts';
import { explore, told } from './explore.ts';

/** Amendments from their acceptance to their readers, explored state by state: as they are, and without each rule. */

const timeout = 120_000;

test(
  'no two amendments have one version, and no reader gets an older text than one that was answered',
  () => {
    const exploration = explore(amendment(all));
    expect(told(exploration)).toMatch(/^no violation/);
    expect(exploration.states).toBeGreaterThan(100_000);
  },
  timeout,
);

test.each<[keyof Rules, RegExp]>([
  ['notesWin', /^two amendments of version/],
  ['redisFirst', /^two amendments of version/],
  ['freshLookups', /^two amendments of version/],
  ['rowFirst', /^two amendments of version/],
  ['number', /^a hot page shows version \d after/],
  ['continueGuard', /^a hot page shows version \d after/],
  ['joinsNotAbove', /^a page shows version \d after/],
  ['joinsUnsettled', /^a page shows version \d after/],
])(
  'without the rule "%s" it breaks',
  (rule, violation) => {
    expect(explore(amendment({ ...all, [rule]: false })).violation).toMatch(violation);
  },
  timeout,
);
