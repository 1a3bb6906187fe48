import type { Redis } from 'ioredis';
import type { Logger } from '../../shared/log.ts';
import type { Metrics } from '../../shared/metrics.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { run } from '../../shared/redis/scripts.ts';

/** Trims every message stream below what both groups have settled. */
export const createTrimming =
  (redis: Redis, keys: Keys, metrics: Metrics, log: Logger, missingGroup: () => Promise<void>) => async (): Promise<void> => {
    for (let partition = 0; partition < keys.partitions; partition++) {
      const [word, detail] = (
        await run<string>(redis, 'trim-messages', [keys.partitionSlot(partition), keys.messages(partition)], ['inbox', 'history'])
      ).split(' ');
      if (word === 'trimmed') {
        metrics.trimmed.inc(Number(detail));
        continue;
      }
      log.error({ event: 'group_missing', partition, group: detail });
      await missingGroup();
    }
  };
