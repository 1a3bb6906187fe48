import type { DeadLetterReason } from '../shared/model/dead-letter.ts';
import type { GroupName } from '../shared/model/groups.ts';
import type { Logger } from '../shared/process/log.ts';
import type { Metrics } from '../shared/process/metrics.ts';
import type { DeadLetters } from '../shared/redis/dead-letters.ts';
import { wallMs } from '../shared/timing/clocks.ts';

/**
 * A stream entry that cannot be processed. `content` is what a replay needs: the message's text, or the entry's fields
 * as JSON.
 */
export type BuriedEntry = {
  reason: DeadLetterReason;
  partition: number;
  group: GroupName;
  streamId: string;
  error: string;
  attempts?: number;
  content: string;
  subject?: Record<string, string | number>;
};

/**
 * Makes a dead letter of an entry that cannot be processed, so that it is neither lost nor in the way. One letter for
 * an entry and group. Resolves when it is kept; only then may the entry be settled.
 */
export const createBurial =
  (deadLetters: Pick<DeadLetters, 'add'>, log: Logger, metrics: Pick<Metrics, 'buried'>) =>
  async ({ reason, partition, group, streamId, error, attempts = 1, content, subject }: BuriedEntry): Promise<void> => {
    const isNew = await deadLetters.add({
      id: `${group}-${partition}-${streamId}`,
      reason,
      at: wallMs(),
      attempts,
      error,
      content,
      subject: { group, partition, entry: streamId, ...subject },
    });
    if (!isNew) return;
    metrics.buried.inc({ reason });
    log.error({ event: 'entry_buried', reason, group, partition, streamId, error });
  };

export type Bury = ReturnType<typeof createBurial>;
