import { describe, expect, test } from 'vitest';
import { verdict } from '../../shared/recovery/verdict.ts';
import { explore, told } from './explore.ts';
import { all, type Rules, type Scenario } from './gate-state.ts';
import { gate } from './gate.ts';

const twice = 'a seq was given twice';
const silent = 'a message was lost, and nobody is told';

/** Small enough to be explored whole. What is left out of one is in another. */
const scenarios = {
  'a restart, and a death': { fanout: true, kills: 1 },
  'a restart with an archive': { gateways: 1, fanout: true, archive: true, kills: 1 },
  'a failover, and the old master still answers': { fanout: true, oldMaster: true },
  'a process starts after a death': { starts: 1, kills: 1 },
  'an opener dies': { openers: 1, kills: 1 },
  'a process starts on the old master': { starts: 1, oldMaster: true },
  'a process leaves': { leaves: 1 },
  'a process is dismissed while it is paused': { gateways: 1, fanout: true, sweeps: 1 },
  'the row of a dead process is swept': { kills: 1, sweeps: 1 },
  'two losses': { gateways: 1, fanout: true, crashes: 2 },
  'everything dies twice': { gateways: 1, sends: 3, crashes: 2, power: true, starts: 2 },
} satisfies Record<string, Scenario>;

describe('the gate', () => {
  test.each(Object.entries<Scenario>(scenarios))(
    'gives no seq twice and loses nothing in silence: %s',
    (_, scenario) => {
      const result = explore(gate(scenario, all, verdict), 60_000);
      expect(told(result)).toMatch(/^no violation/);
      expect(result.states).toBeGreaterThan(3000);
    },
  );

  test.each<[keyof Rules, keyof typeof scenarios, string]>([
    ['run', 'a restart, and a death', twice],
    ['report', 'a restart, and a death', silent],
    ['missing', 'a restart, and a death', silent],
    ['durable', 'a process starts after a death', silent],
    ['close', 'a failover, and the old master still answers', silent],
    ['mark', 'a process leaves', silent],
    ['markBehindGate', 'a process leaves', silent],
    ['markBehindGate', 'the row of a dead process is swept', silent],
    ['marksLast', 'a process leaves', silent],
    ['first', 'two losses', silent],
    ['gen', 'two losses', twice],
    ['number', 'two losses', silent],
    ['least', 'a process starts on the old master', silent],
    ['rowFirst', 'a process starts on the old master', silent],
    ['numberFirst', 'a process starts on the old master', silent],
    ['lapse', 'a process is dismissed while it is paused', silent],
  ])(
    'without the rule "%s", %s: %s',
    (rule, name, fault) => {
      const result = explore(gate(scenarios[name], { ...all, [rule]: false }, verdict), 60_000);
      expect(result.violation).toBe(fault);
    },
    120_000,
  );
});
