import { describe, expect, test } from 'vitest';
import { verdict } from '../../shared/recovery/verdict.ts';
import { explore, told } from './explore.ts';
import { all as allOfLoss, type LossBounds, type LossRules, shortWayLoss } from './short-way-loss.ts';
import { all, type ShortRules, type ShortScenario, shortWay } from './short-way.ts';

const usual = { otherLine: false, most: 9, deaths: 1, isOlder: false };
const scenarios = {
  'three messages': { ...usual, sends: 'mmm' },
  'an amendment between messages': { ...usual, sends: 'mam' },
  'a fanout of an older version': { ...usual, sends: 'mm', isOlder: true },
  'a user of an earlier line': { ...usual, sends: 'mm', otherLine: true },
  'an inbox that is full': { ...usual, sends: 'mmm', most: 1, deaths: 0 },
} satisfies Record<string, ShortScenario>;

const nowhere = 'a message is settled and in no inbox';

describe('the short way of direct messages', () => {
  test.each(Object.entries<ShortScenario>(scenarios))(
    'brings every message into both inboxes once and in order: %s',
    (_, scenario) => {
      const result = explore(shortWay(scenario, all));
      expect(told(result)).toMatch(/^no violation/);
      expect(result.states).toBeGreaterThan(500);
    },
    120_000,
  );

  test.each<[keyof ShortRules, keyof typeof scenarios, string]>([
    ['behindTheLast', 'three messages', nowhere],
    ['behindTheLast', 'an amendment between messages', nowhere],
    ['both', 'a user of an earlier line', nowhere],
    ['oneStep', 'three messages', nowhere],
    ['sameLine', 'a user of an earlier line', 'a position may have been given before'],
    ['room', 'an inbox that is full', 'an inbox holds too much'],
    ['waits', 'three messages', 'never comes to rest'],
    ['compares', 'a fanout of an older version', 'an inbox holds 1,1'],
    ['mark', 'three messages', nowhere],
    ['atEnd', 'three messages', 'never comes to rest'],
    ['markedOnly', 'three messages', nowhere],
  ])(
    'breaks without the rule "%s": %s',
    (rule, name, violation) => {
      const result = explore(shortWay(scenarios[name], { ...all, [rule]: false }));
      expect(result.violation).toBe(violation);
    },
    120_000,
  );
});

const bounds = {
  'the node comes back once': { sends: 2, crashes: 1, reads: 2 },
  'the node comes back twice': { sends: 2, crashes: 2, reads: 0 },
} satisfies Record<string, LossBounds>;
const seqTwice = 'a seq was given twice';

describe('the short way over a Redis that loses its newest writes', () => {
  test.each(Object.entries<LossBounds>(bounds))(
    'gives no number twice and loses nothing in silence: %s',
    (_, bound) => {
      const result = explore(shortWayLoss(bound, allOfLoss, verdict));
      expect(told(result)).toMatch(/^no violation/);
      expect(result.states).toBeGreaterThan(3000);
    },
    120_000,
  );

  test.each<[keyof LossRules, keyof typeof bounds, string]>([
    ['oneStep', 'the node comes back once', nowhere],
    ['together', 'the node comes back once', seqTwice],
    ['pushes', 'the node comes back once', seqTwice],
    ['pages', 'the node comes back once', seqTwice],
    ['lists', 'the node comes back once', seqTwice],
    ['behindTheLast', 'the node comes back once', nowhere],
  ])(
    'breaks without the rule "%s", %s: %s',
    (rule, name, violation) => {
      const result = explore(shortWayLoss(bounds[name], { ...allOfLoss, [rule]: false }, verdict));
      expect(result.violation).toBe(violation);
    },
    120_000,
  );
});
