import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { type Cluster, type ClusterOptions, startCluster } from '../../tools/harness/local-cluster.ts';
import { clean, startTraffic, type TrafficOptions } from './traffic.ts';

/** Real processes are killed and paused in the middle of running traffic; nothing that was accepted may be lost. */

const pairs = 6;

type Traffic = Awaited<ReturnType<typeof startTraffic>>;

/** Starts a cluster with traffic on it and lets the fault happen. Nothing may be wrong at the end. */
async function underTraffic(
  options: ClusterOptions,
  fault: (cluster: Cluster, traffic: Traffic) => Promise<void>,
  rests: TrafficOptions = {},
): Promise<void> {
  const cluster = await startCluster(options);
  try {
    const traffic = await startTraffic(cluster, pairs, rests);
    await fault(cluster, traffic);
    expect(await traffic.end()).toMatchObject(clean);
  } finally {
    await cluster.stop();
  }
}

/** For faults that are waited for: several clusters at once, whose writers do not need the whole machine. */
const calm = { restMs: 20 };

/** For faults of the fanout: every message goes by it. */
const byFanout = { SHORT_WAY: '0' };
const envFor = (of: string): NodeJS.ProcessEnv => (of === 'fanout' || of === 'inbox' ? byFanout : {});

/**
 * Resolves once everything appended until now is settled by the group of this line: another process owns every
 * partition. Not waited for without end: an archive that is stopped within a transaction holds SQLite's lock, and
 * nobody can write before it goes on.
 */
async function settledBeyond(cluster: Cluster, line: 'fanout' | 'archive'): Promise<void> {
  const redis = new Redis(cluster.redisUrl);
  const slots = [0, 1, 2, 3].map((partition) => `rst:{p${partition}}:slot`);
  const numbers = (field: string) => Promise.all(slots.map(async (slot) => Number(await redis.hget(slot, field))));
  const goals = await numbers('appended');
  const field = `settled:${line === 'fanout' ? 'inbox' : 'history'}`;
  // What a line has settled is told by no event that a test could wait for.
  const giveUp = line === 'archive' ? Date.now() + 9000 : Infinity;
  while (Date.now() < giveUp && !(await numbers(field)).every((settled, i) => settled >= goals[i]!)) await pause(50);
  redis.disconnect();
}

describe('kill -9 in the middle of traffic', () => {
  for (const line of ['web', 'fanout', 'archive'] as const) {
    test(`of ${line}, three times, loses, repeats and reorders nothing`, async () => {
      await underTraffic({ jobs: 1, env: envFor(line) }, async (cluster, traffic) => {
        for (let time = 0; time < 3; time++) {
          await traffic.more(300);
          await cluster.kill(line);
          await cluster.start(line);
        }
        await traffic.more(300);
      });
    }, 90_000);
  }

  test('of Redis, which comes back from its append-only file, loses, repeats and reorders nothing', async () => {
    await underTraffic({}, async (cluster, traffic) => {
      for (let time = 0; time < 2; time++) {
        await traffic.more(300);
        await cluster.kill('redis');
        await cluster.start('redis');
      }
      await traffic.more(300);
    });
  }, 90_000);
});

describe.concurrent('a paused process that comes back', () => {
  for (const line of ['fanout', 'archive'] as const) {
    test(`${line}: another one takes its partitions, and what it still does harms nothing`, async () => {
      await underTraffic(
        { [line]: 2, env: envFor(line) },
        async (cluster, traffic) => {
          await traffic.more(300);
          cluster.pause(`${line}-1`);
          await settledBeyond(cluster, line);
          cluster.resume(`${line}-1`);
          await traffic.more(300);
          cluster.pause(`${line}-2`);
          await settledBeyond(cluster, line);
          cluster.resume(`${line}-2`);
        },
        calm,
      );
    }, 90_000);
  }

  test('web: its devices go to another gateway or wait, and get everything once', async () => {
    await underTraffic(
      {},
      async (cluster, traffic) => {
        await traffic.more(300);
        cluster.pause('web-1');
        // Time itself is tested: longer than a client waits for an answer, and than a push has to be received.
        await pause(6000);
        cluster.resume('web-1');
        await traffic.more(300);
      },
      calm,
    );
  }, 90_000);
});

describe('a read whose answer was lost', () => {
  for (const group of ['inbox', 'history'] as const) {
    test(`of group ${group} is noticed: what it took is handled before anything after it`, async () => {
      await underTraffic({ env: { PARTITIONS: '1', ...envFor(group) } }, async (cluster, traffic) => {
        const thief = new Redis(cluster.redisUrl);
        await traffic.more(200);
        let stolen = 0;
        while (stolen < 20) {
          // Exactly what Redis does for a reader that has gone away: the entries are handed out and nobody has them.
          const reply = (await thief.xreadgroup(
            'GROUP',
            group,
            group,
            'COUNT',
            5,
            'STREAMS',
            'rst:{p0}:messages',
            '>',
          )) as [string, unknown[]][] | null;
          stolen += reply?.[0]?.[1].length ?? 0;
        }
        thief.disconnect();
        await traffic.more(200);
      });
    }, 90_000);
  }
});

describe.concurrent('a stranger in a group', () => {
  for (const group of ['inbox', 'history'] as const) {
    test(`of ${group}: what it has taken is waited for and taken back`, async () => {
      await underTraffic(
        { env: { PARTITIONS: '1', ...envFor(group) } },
        async (cluster, traffic) => {
          const stranger = new Redis(cluster.redisUrl);
          await traffic.more(200);
          let taken = 0;
          while (taken < 5) {
            const reply = await stranger.xreadgroup(
              'GROUP',
              group,
              'shell',
              'COUNT',
              5,
              'STREAMS',
              'rst:{p0}:messages',
              '>',
            );
            taken += reply?.[0]?.[1].length ?? 0;
          }
          stranger.disconnect();
          await traffic.more(200);
        },
        calm,
      );
    }, 90_000);
  }
});
