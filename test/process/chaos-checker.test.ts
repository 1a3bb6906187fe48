import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../../tools/harness/local-cluster.ts';
import { check } from '../../tools/rehearsal/chaos/checker/check.ts';
import { createRecording, readRecording, type Recorded } from '../../tools/rehearsal/chaos/recording.ts';
import { startTraffic, trafficEnv } from '../../tools/rehearsal/chaos/traffic.ts';
import { mutations } from '../support/chaos/mutations.ts';

/**
 * The checker of chaos runs on the recording of a real cluster without faults: it finds nothing, and finds what is
 * planted then. A played server could share a mistake with the checker.
 */

const sendForMs = 5000;
let cluster: Cluster;
let events: Recorded[];
let drained: boolean;

beforeAll(async () => {
  cluster = await startCluster({ web: 2, fanout: 1, archive: 1, jobs: 1, env: { ...trafficEnv } });
  const path = join(cluster.dir, 'recording.jsonl');
  const recording = createRecording(path);
  recording.note({
    type: 'run',
    seed: 7,
    fault: 'none',
    on: 'redis',
    store: 'sqlite',
    level: 'accepted',
    mode: 'liveness',
    fanoutMaxMembers: Number(trafficEnv.FANOUT_MAX_MEMBERS),
    startedAt: Date.now(),
  });
  const traffic = await startTraffic({
    urls: () => cluster.urls,
    token: (user) => cluster.token(user ?? 'backend', { service: user === null }),
    recording,
    seed: 7,
  });
  await pause(sendForMs);
  traffic.stopSending();
  drained = await traffic.drained(30_000);
  await traffic.dump();
  traffic.close();
  recording.close();
  events = [...readRecording(path)];
}, 120_000);

afterAll(async () => {
  await cluster.stop();
});

test('finds nothing in a real run without faults', () => {
  expect(drained).toBe(true);
  const { violations, counts } = check(events);
  expect(violations).toEqual([]);
  expect(counts).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, leaked: 0, falseAlarms: 0 });
  expect(counts.accepted).toBeGreaterThan(50);
  expect(counts.delivered).toBeGreaterThan(200);
});

// What else such a fault breaks depends on what else happened in the run. That nothing is named wrongly is tried with a
// recording that is always the same (test/unit/tools/rehearsal/chaos/checker.test.ts).
test('names each planted fault by its invariant', () => {
  const unnamed: string[] = [];
  const planted = mutations
    .filter(({ needsLoss }) => needsLoss !== true)
    .flatMap((mutation) => {
      const changed = mutation.plant(events);
      return changed === null ? [] : [{ ...mutation, changed }];
    });
  for (const { name, breaks, changed } of planted) {
    const found = Object.keys(check(changed).found);
    if (!found.includes(breaks)) unnamed.push(`${name}: ${found.join(', ')}`);
  }
  if (unnamed.length > 0) throw new Error(`not named: ${unnamed.join('; ')}`);
  // A few faults need something to have happened that does not happen in every run.
  expect(planted.length).toBeGreaterThan(20);
}, 120_000);
