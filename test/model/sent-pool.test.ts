import { describe, expect, test } from 'vitest';
import { explore, told } from './explore.ts';
import { type PoolRules, sentPool } from './sent-pool.ts';

/** The pool of known clientIds, explored state by state: as it is, and without each of its rules. */

const timeout = 120_000;

describe('the pool of known clientIds', () => {
  test(
    'forgets no clientId before its time whatever the clock of Redis does, and every one in the end',
    { timeout },
    () => {
      const exploration = explore(sentPool());
      expect(told(exploration)).toMatch(/^no violation/);
      expect(exploration.states).toBeGreaterThan(10_000);
    },
  );

  const broken: [what: string, rules: PoolRules, violation: RegExp][] = [
    ['a part whose time is read off the clock of Redis', { byClock: true }, /^X is forgotten/],
    ['a witness since a mark that was counted before', { anyMark: true }, /^X is forgotten/],
    ['a mark that stands after it was counted', { sameMark: true }, /^X is forgotten/],
    ['a mark that is taken for known since the call', { sinceCalling: true }, /^X is forgotten/],
    ['a turn that drops the part it leaves', { dropsLeft: true }, /^X is forgotten/],
    ['a pool that never turns', { neverTurns: true }, /^never comes to rest/],
  ];
  test.each(broken)('breaks with %s', { timeout }, (_, rules, violation) => {
    const exploration = explore(sentPool(rules));
    expect(exploration.violation).toMatch(violation);
  });
});
