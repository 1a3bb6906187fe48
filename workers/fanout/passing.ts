import type { Redis } from 'ioredis';
import { type Entry, hasText } from '../../shared/model/entry.ts';
import { isBelow } from '../../shared/model/stream-ids.ts';
import type { Keys } from '../../shared/redis/keys.ts';

/**
 * Which entries the fanout passes over: those of messages that went the short way (docs/design/short-way.md).
 *
 * _Must hold:_ it passes over an entry only if the entry was made in the run of Redis that is open, and in the present
 * epoch: an inbox may have lost what an older entry says. So the end of a partition is read when it is first needed,
 * and again after another run or epoch was found; only entries above it are passed over.
 */
export function createPassing(redis: Redis, keys: Pick<Keys, 'messages'>) {
  /** Per partition, the entry above which entries are passed over. */
  let ends = new Map<number, string>();

  async function endOf(partition: number): Promise<string> {
    const of = ends;
    const known = of.get(partition);
    if (known !== undefined) return known;
    const info = (await redis.xinfo('STREAM', keys.messages(partition))) as unknown[];
    const end = String(info[info.indexOf('last-generated-id') + 1]);
    of.set(partition, end);
    return end;
  }

  return {
    /** Another run or another epoch was found. */
    forget: (): void => void (ends = new Map()),

    /** Tells which entries of a batch are passed over. */
    async of(partition: number, entries: readonly Entry[]): Promise<(entry: Entry) => boolean> {
      if (!entries.some((entry) => hasText(entry) && entry.short)) return () => false;
      const end = await endOf(partition);
      return (entry) => hasText(entry) && entry.short && isBelow(end, entry.streamId);
    },
  };
}

export type Passing = ReturnType<typeof createPassing>;
