import type { Redis } from 'ioredis';
import { groupNames } from '../../shared/model/groups.ts';
import type { Logger } from '../../shared/process/log.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import { openReply } from '../../shared/redis/failures.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { run } from '../../shared/redis/scripts.ts';
import { provesAckedTrim } from '../../shared/redis/streams/acked-trim.ts';

/**
 * Trims every message stream below the entries that all groups have settled. A server that has proven to keep unsettled
 * entries is told to do so: a second guard beside our own calculation. The proof is repeated after every failure, since
 * another server may answer then.
 */
export function createTrimming(
  redis: Redis,
  keys: Keys,
  metrics: Metrics,
  log: Logger,
  missingGroup: () => Promise<void>,
) {
  let acked: boolean | null = null;

  async function trim(partition: number): Promise<void> {
    acked ??= await provesAckedTrim(redis, keys);
    const used = [keys.partitionSlot(partition), keys.messages(partition)];
    const reply = await run<string>(redis, 'trim-messages', used, [acked ? '1' : '0', ...groupNames]);
    const [word, detail] = openReply(reply).split(' ');
    if (word === 'trimmed') {
      metrics.trimmed.inc(Number(detail));
      return;
    }
    log.error({ event: 'group_missing', partition, group: detail });
    await missingGroup();
  }

  return async (): Promise<void> => {
    for (let partition = 0; partition < keys.partitions; partition++) {
      try {
        await trim(partition);
      } catch (thrown) {
        acked = null;
        throw thrown;
      }
    }
  };
}
