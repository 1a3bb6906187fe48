import { describe, expect, test } from 'vitest';
import { verdict } from '../../shared/recovery/verdict.ts';
import { explore, told } from './explore.ts';
import { all, type Rules, type Scenario, shard } from './shard.ts';

const scenarios = {
  'the shard comes back': { crashes: 1, losses: 0, disconnects: 0, namesEpoch: true },
  'the shard comes back, and the client names no epoch': { crashes: 1, losses: 0, disconnects: 0, namesEpoch: false },
  'partitions lose something, and the shard does not': { crashes: 0, losses: 2, disconnects: 1, namesEpoch: true },
} satisfies Record<string, Scenario>;

/** A message that is in no inbox and has no gap shows as a state from which the device can never get it. */
const nowhere = 'never comes to rest';

describe('an inbox shard behind the gate', () => {
  test.each(Object.entries<Scenario>(scenarios))(
    'every message reaches the device, or a gap does: %s',
    (_, scenario) => {
      const result = explore(shard(scenario, all, verdict), 60_000);
      expect(told(result)).toMatch(/^no violation/);
      expect(result.states).toBeGreaterThan(4000);
    },
  );

  test.each<[keyof Rules, keyof typeof scenarios]>([
    ['gate', 'the shard comes back'],
    ['gateway', 'the shard comes back'],
    ['skip', 'the shard comes back'],
    ['load', 'the shard comes back'],
    ['loads', 'partitions lose something, and the shard does not'],
    ['rewind', 'the shard comes back'],
    ['jump', 'the shard comes back, and the client names no epoch'],
  ])(
    'without the rule "%s", %s: a message is nowhere',
    (rule, name) => {
      const result = explore(shard(scenarios[name], { ...all, [rule]: false }, verdict), 60_000);
      expect(result.violation).toBe(nowhere);
    },
    120_000,
  );
});
