import { describe, expect, test } from 'vitest';
import { verdict } from '../../shared/recovery/verdict.ts';
import { explore, told } from './explore.ts';
import { all, type Bounds, type Rules } from './gate-slots-state.ts';
import { gateOfSlots } from './gate-slots.ts';

const twice = 'a seq was given twice';
const silent = 'a message was lost, and nobody is told';
const none = { sends: 0, crashes: 0, flushes: 0, unloads: 0, reads: 0 };

const scenarios = {
  'one lost end for two slots': { ...none, sends: 3, crashes: 1 },
  'something was read': { ...none, sends: 2, crashes: 1, reads: 1 },
  'two losses': { ...none, sends: 1, crashes: 2, reads: 1 },
  'something is unloaded': { ...none, sends: 2, crashes: 1, unloads: 1 },
  'Redis is emptied while it runs': { ...none, sends: 2, flushes: 1, unloads: 1, reads: 1 },
  'Redis is emptied, and dies': { ...none, sends: 1, crashes: 1, flushes: 1, reads: 1 },
} satisfies Record<string, Bounds>;

describe('the gate over two slots', () => {
  test.each(Object.entries<Bounds>(scenarios))(
    'gives no seq twice and loses nothing in silence: %s',
    (_, bounds) => {
      const result = explore(gateOfSlots(bounds, all, verdict), 60_000);
      expect(told(result)).toMatch(/^no violation/);
      expect(result.states).toBeGreaterThan(3000);
    },
    120_000,
  );

  test.each<[keyof Rules, keyof typeof scenarios, string]>([
    ['perSlot', 'one lost end for two slots', silent],
    ['everybody', 'one lost end for two slots', twice],
    ['seats', 'something was read', twice],
    ['pages', 'something was read', twice],
    ['forgets', 'two losses', 'a loss where nothing was lost'],
    ['closed', 'Redis is emptied while it runs', twice],
    ['marks', 'something is unloaded', twice],
  ])(
    'without the rule "%s", %s: %s',
    (rule, name, fault) => {
      const result = explore(gateOfSlots(scenarios[name], { ...all, [rule]: false }, verdict), 60_000);
      expect(result.violation).toBe(fault);
    },
    120_000,
  );
});
