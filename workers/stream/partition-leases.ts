import type { Redis } from 'ioredis';
import type { GroupName } from '../../shared/model/groups.ts';
import type { Faults } from '../../shared/process/faults.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { run } from '../../shared/redis/scripts.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';

/** A lease that is not renewed for this long goes to another process (ms). */
const leaseMs = 4000;
const renewEveryMs = 1000;

/** The most partitions that one of these processes owns. Together they can own all. */
export function fairShare(partitions: number, processes: number): number {
  return Math.ceil(partitions / Math.max(1, processes));
}

/**
 * Shares the partitions of one group between its processes. Each keeps itself on the roster, holds a lease for each
 * partition that it owns, and owns at most its fair share. A lease that cannot be renewed is given up when it has run
 * out. Two owners at once harm nothing. `me` is the unique id of the process; `start` begins work on a partition.
 */
export function createPartitionLeases(
  redis: Redis,
  keys: Keys,
  me: string,
  group: GroupName,
  start: (partition: number) => { stop(): Promise<void> },
  log: Logger,
  faults: Faults,
) {
  const owned = new Map<number, { worker: { stop(): Promise<void> }; until: number }>();
  let timer: NodeJS.Timeout | null = null;
  let turn: Promise<void> = Promise.resolve();
  let stopped = false;

  const leaseKeys = (partition: number): string[] => [keys.lease(partition, group), keys.partitionSlot(partition)];

  /** Resolves `closed` if the slot is not open: then nobody takes or renews a lease on it. */
  const hold = (partition: number): Promise<number | 'closed'> =>
    run(redis, 'hold-lease', leaseKeys(partition), [me, leaseMs]);

  async function release(partition: number): Promise<void> {
    const found = owned.get(partition);
    if (found === undefined) return;
    owned.delete(partition);
    await found.worker.stop();
    await run(redis, 'drop-lease', leaseKeys(partition), [me]).catch(() => undefined);
    log.info({ event: 'partition_released', group, partition });
  }

  async function renew(): Promise<void> {
    const processes = await run<number>(redis, 'enlist-process', [keys.roster(group)], [me, leaseMs]);
    const share = fairShare(keys.partitions, processes);
    for (const partition of owned.keys()) {
      if (owned.size > share) {
        await release(partition);
        continue;
      }
      const held = await hold(partition);
      if (held === 1) owned.get(partition)!.until = monotonicMs() + leaseMs;
      if (held === 0) await release(partition);
    }
    for (let partition = 0; partition < keys.partitions && owned.size < share && !stopped; partition++) {
      if (owned.has(partition)) continue;
      if ((await hold(partition)) !== 1) continue;
      owned.set(partition, { worker: start(partition), until: monotonicMs() + leaseMs });
      log.info({ event: 'partition_owned', group, partition });
    }
  }

  async function tick(): Promise<void> {
    try {
      await renew();
    } catch (thrown) {
      log.warn({ event: 'lease_failed', group, reason: reason(thrown) });
    }
    for (const [partition, { until }] of owned) if (monotonicMs() > until) await release(partition);
  }

  function loop(): void {
    if (stopped) return;
    timer = setTimeout(() => {
      turn = take();
    }, renewEveryMs);
  }

  /** One turn, and then the next one, whether it failed or not. */
  const take = (): Promise<void> =>
    tick()
      .catch((thrown: unknown) => faults.note('timer', thrown))
      .then(loop);
  turn = take();

  return {
    partitions: (): number[] => [...owned.keys()],
    async stop(): Promise<void> {
      stopped = true;
      if (timer) clearTimeout(timer);
      await turn;
      await Promise.all([...owned.keys()].map(release));
      await run(redis, 'enlist-process', [keys.roster(group)], [me, 0]).catch(() => undefined);
    },
  };
}
