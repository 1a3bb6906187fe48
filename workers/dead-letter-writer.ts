import type { DeadLetterReason } from '../shared/model/dead-letter.ts';
import { type Entry, hasText } from '../shared/model/entry.ts';
import type { GroupName } from '../shared/model/groups.ts';
import type { Logger } from '../shared/process/log.ts';
import type { Metrics } from '../shared/process/metrics.ts';
import type { DeadLetters } from '../shared/redis/dead-letters.ts';
import { wallMs } from '../shared/timing/clocks.ts';

/**
 * A stream entry that cannot be processed. `content` is for a replay: the message's text, or the entry's fields as
 * JSON.
 */
export type UnprocessedEntry = {
  reason: DeadLetterReason;
  partition: number;
  group: GroupName;
  streamId: string;
  error: string;
  attempts?: number;
  content: string;
  subject?: Record<string, string | number>;
};

/** What is known of an entry, for its dead letter. */
export function subjectOf(entry: Entry): Record<string, string | number> {
  if (entry.type === 'unknown') return entry.fields[1]?.startsWith('1 amended ') === true ? { amends: 0 } : {};
  if (entry.type === 'settings') return { user: entry.user };
  if (!hasText(entry)) return { conversation: entry.conversation };
  const { conversation, seq } = entry;
  return entry.type === 'amended' ? { conversation, seq, amends: entry.target } : { conversation, seq };
}

/**
 * Writes dead letters of entries that cannot be processed, so that they are not lost and block nothing. An entry has at
 * most one letter for each group. Resolves when the letter is stored; only then may the entry be settled.
 */
export const createDeadLetterWriter =
  (deadLetters: Pick<DeadLetters, 'add'>, log: Logger, metrics: Pick<Metrics, 'buried'>) =>
  async ({
    reason,
    partition,
    group,
    streamId,
    error,
    attempts = 1,
    content,
    subject,
  }: UnprocessedEntry): Promise<void> => {
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

export type Bury = ReturnType<typeof createDeadLetterWriter>;
