import { expect, test } from 'vitest';
import { all, creating, type Rules } from './creating.ts';
import { explore, told } from './explore.ts';

test('a large group is created as a whole or not at all, once, and leaves nothing behind', () => {
  const exploration = explore(creating(all));
  expect(told(exploration)).toMatch(/^no violation/);
  expect(exploration.states).toBeGreaterThan(10_000);
}, 60_000);

test.each<[keyof Rules, string]>([
  ['countsStaged', 'a group has other members than its creator named'],
  ['ownName', 'a group has other members than its creator named'],
  ['expires', 'never comes to rest'],
  ['persists', 'members are gone'],
  ['looksFirst', 'a group was made twice'],
  ['sameVersion', 'same, and it never was'],
  ['entryAtOnce', 'never comes to rest'],
])(
  'without the rule "%s": %s',
  (rule, violation) => {
    expect(explore(creating({ ...all, [rule]: false })).violation).toBe(violation);
  },
  60_000,
);
