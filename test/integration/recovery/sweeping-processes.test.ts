import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import type { ProcessRow } from '../../../shared/history/gate-rows.ts';
import { openSqliteStore } from '../../../shared/history/sqlite/store.ts';
import { whenReady } from '../../../shared/redis/connection/connect.ts';
import { createProcesses } from '../../../shared/redis/processes.ts';
import { silentMs } from '../../../workers/jobs/silence.ts';
import { createProcessSweeping } from '../../../workers/jobs/sweeping-processes.ts';
import { startCluster } from '../../support/cluster.ts';
import { startDurableRedis } from '../../support/durable-redis.ts';
import { patiently } from '../../support/patiently.ts';
import { connectRedis } from '../../support/redis-connection.ts';
import { sendMany } from '../../support/sending.ts';

/** Rows of processes that were killed or paused, and what openings make of them. */

const everyMs = 2000;
const soon = { timeout: 20_000, interval: 100 };
const silent = () => undefined;
const rolesOf = (rows: readonly ProcessRow[]): string[] => rows.map(({ role }) => role).sort();

/** Two gateways and a fanout with a Redis of their own, and a sweeper by a clock of its own. */
async function start() {
  const redis = await startDurableRedis();
  const cluster = await startCluster({ redisUrl: redis.url, gateways: 2, archive: false });
  // As the connections of processes, this one knows its run of Redis. It is away for a while: that is what is tried.
  const own = connectRedis(redis.url);
  for (const one of [own, cluster.redis]) one.on('error', silent);
  await whenReady(own);
  const history = openSqliteStore(join(cluster.dir, 'history.db'));
  const processes = createProcesses(own, cluster.keys);
  let nowMs = 0;
  const sweeping = createProcessSweeping({
    redis: own,
    keys: cluster.keys,
    history,
    processes,
    log: { debug: silent, info: silent, warn: silent, error: silent },
    now: () => nowMs,
  });
  const reportingIds = async (): Promise<string[]> => (await processes.list()).map(({ id }) => id);
  // A process is heard of only when it has reported for the first time.
  await vi.waitFor(async () => {
    if ((await reportingIds()).length < 3) throw new Error('not all have reported');
  }, soon);

  return {
    redis,
    cluster,
    history,
    reportingIds,

    /** Looks and sweeps for this long, by the clock of the sweeper alone. */
    async sweepFor(ms: number): Promise<void> {
      await sweeping.look();
      await sweeping.sweep();
      for (const until = nowMs + ms; nowMs < until;) {
        nowMs += everyMs;
        await sweeping.look();
      }
      await sweeping.sweep();
    },

    /** Resolves once these do not count as reporting any more. */
    unheardOf: (ids: readonly string[]): Promise<void> =>
      vi.waitFor(async () => {
        const still = (await reportingIds()).filter((id) => ids.includes(id));
        if (still.length > 0) throw new Error(`${still.join(' ')} still count`);
      }, soon),

    async rowOf(name: string): Promise<ProcessRow> {
      const pid = Number((await cluster.log(name))[0]?.['pid']);
      const row = (await history.enlisted()).find((one) => one.pid === pid);
      if (row === undefined) throw new Error(`${name} has no row`);
      return row;
    },

    async restartRedis(): Promise<void> {
      await redis.kill();
      await redis.start();
    },

    epochNow: async (): Promise<string> => (await patiently(cluster, cluster.user('looking'))).welcome.epoch,

    async stop(): Promise<void> {
      own.disconnect();
      await history.close();
      await cluster.stop();
      await redis.stop();
    },
  };
}

type Setting = Awaited<ReturnType<typeof start>>;

const inSetting = (task: (setting: Setting) => Promise<void>) => async (): Promise<void> => {
  const setting = await start();
  try {
    await task(setting);
  } finally {
    await setting.stop();
  }
};

// Most of the time is waited for, so the settings of all tests run at once.
const atOnce = { timeout: 120_000, concurrent: true };

test(
  'a gateway that was killed loses its row after a minute, and marks stand for what it saw',
  atOnce,
  inSetting(async (setting) => {
    const { cluster, history, sweepFor, epochNow } = setting;
    const before = await epochNow();
    const dead = await setting.rowOf('web-2');
    await cluster.end('web-2', 'SIGKILL');
    await setting.unheardOf([dead.id]);
    await sweepFor(silentMs - everyMs);
    expect(rolesOf(await history.enlisted())).toEqual(['fanout', 'web', 'web']);
    await sweepFor(everyMs);
    expect(rolesOf(await history.enlisted())).toEqual(['fanout', 'web']);

    const slots = await history.slots();
    const { keys } = cluster;
    for (let number = 0; number < keys.partitions; number++) {
      expect(Number(await cluster.redis.hget(keys.partitionSlot(number), 'mark'))).toBe(slots.get(`p${number}`)?.mark);
      expect(slots.get(`p${number}`)?.mark).toBeGreaterThan(0);
    }
    expect(slots.get(`i${keys.inboxShards - 1}`)?.mark).toBeGreaterThan(0);

    await setting.restartRedis();
    expect(await epochNow()).toBe(before);
  }),
);

test(
  'without that it is a loss when Redis comes back: it cannot be asked',
  atOnce,
  inSetting(async (setting) => {
    const before = await setting.epochNow();
    await setting.cluster.end('web-2', 'SIGKILL');
    await setting.sweepFor(silentMs / 2);
    await setting.restartRedis();
    await vi.waitFor(async () => expect(await setting.epochNow()).not.toBe(before), soon);
  }),
);

test(
  'a gateway that was only paused enlists again before it answers, and its row stays',
  atOnce,
  inSetting(async (setting) => {
    const { cluster, history, rowOf, sweepFor } = setting;
    const before = await setting.epochNow();
    const paused = await rowOf('web-2');
    cluster.pause('web-2');
    const pausedAt = performance.now();
    await setting.unheardOf([paused.id]);
    await sweepFor(silentMs);
    expect((await history.enlisted()).map(({ id }) => id)).not.toContain(paused.id);

    // Time itself is tested: its own clocks have to say that it was paused for more than 20 s.
    await pause(pausedAt + 21_000 - performance.now());
    cluster.resume('web-2');
    const awake = await vi.waitFor(() => rowOf('web-2'), soon);
    expect(awake.since).toBeGreaterThan(paused.since);
    await vi.waitFor(async () => expect(await setting.reportingIds()).toContain(awake.id), soon);
    await sweepFor(2 * silentMs);
    expect(await rowOf('web-2')).toEqual(awake);

    const alice = await patiently(cluster, 'alice', { gateway: 2 });
    await sendMany(alice, 'bob', 3);
    await setting.restartRedis();
    expect(await setting.epochNow()).toBe(before);
  }),
);

test(
  'when everybody has died and was swept, the mark alone shows that Redis has lost its end',
  atOnce,
  inSetting(async (setting) => {
    const { redis, cluster } = setting;
    const before = await setting.epochNow();
    const restore = await redis.copy();
    await sendMany(await cluster.connect('alice'), 'bob', 3);
    const ids = await setting.reportingIds();
    await Promise.all(['web', 'fanout'].map((line) => cluster.end(line, 'SIGKILL')));
    await setting.unheardOf(ids);
    await setting.sweepFor(silentMs);
    expect(await setting.history.enlisted()).toEqual([]);

    await redis.kill();
    await restore();
    await redis.start();
    await cluster.start('web');
    expect(await setting.epochNow()).not.toBe(before);
  }),
);
