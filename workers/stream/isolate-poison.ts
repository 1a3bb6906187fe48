import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Entry } from '../../shared/model/entry.ts';
import type { GroupName } from '../../shared/model/groups.ts';
import type { Faults } from '../../shared/process/faults.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { retries, retryPauseMs } from '../../shared/timing/retry.ts';
import { type Bury, subjectOf } from '../dead-letter-writer.ts';
import { isFaultOfBatch } from './batch-fault.ts';
import type { Handled, Handler } from './handler.ts';
import { createPoisonSearch } from './poison-search.ts';
import type { Settling } from './settle.ts';

/**
 * Handles a group's unsettled entries so that a poison message cannot block the ones behind it (head-of-line blocking).
 * A batch that fails by its own fault is halved until one entry stands alone. When that one fails too, it becomes a
 * dead letter and is settled.
 */
export function createPoisonIsolation(
  parts: {
    commands: Redis;
    keys: Keys;
    log: Logger;
    faults: Pick<Faults, 'note'>;
    bury: Bury;
    settling: Pick<Settling, 'commit'>;
  },
  group: GroupName,
  partition: number,
  mostEntries: number,
  handler: Pick<Handler, 'handle' | 'settlePoison'>,
) {
  const { commands, keys, log, faults, bury, settling } = parts;
  const messages = keys.messages(partition);
  const search = createPoisonSearch(commands, keys, group, partition, mostEntries);
  let lastFault = 'the process died while it handled the entry';

  return {
    search,

    /** Handles unsettled entries. Resolves `failed` after their own fault and a pause; rejects with any other fault. */
    async handleUnsettled(entries: Entry[], epoch: string): Promise<Handled | 'failed'> {
      try {
        return await handler.handle(partition, entries, true, epoch);
      } catch (thrown) {
        lastFault = reason(thrown);
        const counts = isFaultOfBatch(thrown);
        const failures = await search.failed(counts);
        if (!counts) throw thrown;
        faults.note('batch', thrown);
        log.warn({
          event: 'batch_failed',
          group,
          partition,
          first: entries[0]!.streamId,
          size: entries.length,
          failures,
          reason: lastFault,
        });
        await pause(retryPauseMs(retries.streamBatch, failures));
        return 'failed';
      }
    },

    /** Makes a dead letter of an entry that failed alone every time, and settles it. */
    async isolate(entry: Entry, epoch: string): Promise<void> {
      const { streamId } = entry;
      const [found] = await commands.xrange(messages, streamId, streamId);
      await bury({
        reason: 'poison',
        partition,
        group,
        streamId,
        error: lastFault,
        attempts: search.failures,
        content: JSON.stringify(found?.[1] ?? []),
        subject: subjectOf(entry),
      });
      try {
        await handler.settlePoison(partition, entry, epoch);
      } catch (thrown) {
        if (!isFaultOfBatch(thrown)) throw thrown;
        log.error({ event: 'poison_without_place', group, partition, streamId, reason: reason(thrown) });
      }
      await settling.commit({ settle: [streamId], publish: [] });
      await search.succeeded();
    },
  };
}
