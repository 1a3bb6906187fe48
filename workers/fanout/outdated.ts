import type { Redis } from 'ioredis';
import { type AmendedEntry, type Entry, hasText, type MessageEntry, readEntry } from '../../shared/model/entry.ts';
import { isBelow } from '../../shared/model/stream-ids.ts';
import type { Keys } from '../../shared/redis/keys.ts';

const entriesAtOnce = 1000;

/**
 * What is known of a partition's entries from `from` on: the last that came back, '' if there is none, and the newest
 * amendment of each message up to it.
 */
type Known = { from: string; keptTo: string; newest: Map<string, number> };

const nameOf = (conversation: string, seq: number): string => `${conversation} ${seq}`;

/**
 * Which of the entries that came back with Redis after a loss are outdated: an amendment of the same message stands
 * further on in what came back.
 *
 * _Must hold:_ an outdated entry is not appended with its body. Inboxes may have lost it together with its amendment,
 * which somebody may have seen. Until the amendment is appended again, the old body would be shown to them.
 */
export function createOutdated(redis: Redis, keys: Pick<Keys, 'messages' | 'partitionSlot'>) {
  let partitions = new Map<number, Known>();

  async function read(partition: number, from: string): Promise<Known> {
    const keptTo = (await redis.hget(keys.partitionSlot(partition), 'keptTo')) ?? '';
    const newest = new Map<string, number>();
    for (let start = from; keptTo !== '' && !isBelow(keptTo, from);) {
      const page = await redis.xrange(keys.messages(partition), start, keptTo, 'COUNT', entriesAtOnce);
      for (const [id, fields] of page) {
        const entry = readEntry(id, fields);
        if (entry.type === 'amended') newest.set(nameOf(entry.conversation, entry.target), entry.seq);
      }
      if (page.length < entriesAtOnce) break;
      start = `(${page.at(-1)![0]}`;
    }
    return { from, keptTo, newest };
  }

  type Told = ((entry: Entry) => entry is MessageEntry | AmendedEntry) | null;

  function told({ keptTo, newest }: Known, from: string): Told {
    if (newest.size === 0) return null;
    if (isBelow(keptTo, from)) {
      newest.clear();
      return null;
    }
    return (entry): entry is MessageEntry | AmendedEntry => {
      if (!hasText(entry)) return false;
      const target = entry.type === 'amended' ? entry.target : entry.seq;
      return (newest.get(nameOf(entry.conversation, target)) ?? 0) > entry.seq;
    };
  }

  return {
    /** Another run or another epoch was found. */
    forget: (): void => void (partitions = new Map()),

    /** Tells which entries of a batch are outdated; null: none. At once unless the stream has to be read first. */
    of(partition: number, entries: readonly Entry[]): Told | Promise<Told> {
      const from = entries[0]!.streamId;
      const known = partitions.get(partition);
      if (known !== undefined && !isBelow(from, known.from)) return told(known, from);
      const of = partitions;
      return read(partition, from).then((found) => {
        of.set(partition, found);
        return told(found, from);
      });
    },
  };
}

export type Outdated = ReturnType<typeof createOutdated>;
