import { expect, test } from 'vitest';
import { explore, told } from './explore.ts';
import { all, browserTabs, type Rules } from './tabs.ts';

/** Bounds within which each rule is needed. */
const small = { tabs: 2, faults: 1, messages: 1 };
const one = { tabs: 2, faults: 2, messages: 1 };
const bounds = { tabs: 2, faults: 2, messages: 2 };

test.each([bounds, { tabs: 3, faults: 1, messages: 1 }])(
  'one tab leads, and what tabs want is done, whatever stops and dies within %o',
  (within) => {
    const exploration = explore(browserTabs(all, within));
    expect(told(exploration)).toMatch(/^no violation/);
    expect(exploration.states).toBeGreaterThan(20_000);
  },
  300_000,
);

const overwritten = 'a received message is no longer in the storage';
const closed = 'a tab is closed that its own browser has replaced';
const restless = 'never comes to rest';

test.each<[keyof Rules, string, typeof bounds]>([
  ['fences', overwritten, bounds],
  ['distinctTerms', overwritten, bounds],
  ['raisesFirst', overwritten, bounds],
  ['readsOutbox', restless, small],
  ['storesSends', restless, small],
  ['repeats', restless, small],
  ['steals', restless, small],
  ['waitsAgain', restless, one],
  ['heedsNewer', restless, one],
  ['outlivesReplacement', closed, bounds],
])(
  'without the rule "%s": %s',
  (rule, violation, within) => {
    expect(explore(browserTabs({ ...all, [rule]: false }, within)).violation).toBe(violation);
  },
  300_000,
);
