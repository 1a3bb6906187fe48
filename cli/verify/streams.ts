import type { Redis } from 'ioredis';
import { hasText, readEntry } from '../../shared/model/entry.ts';
import type { GroupName } from '../../shared/model/groups.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { addRange, type Ranges } from './ranges.ts';

const entriesInPage = 1000;

/** What is unsettled in one message stream. It is as large as the backlog. */
export type StreamContent = {
  /** The seqs of each conversation that the archive may not have settled. */
  unarchived: Map<string, Ranges>;
  /** Conversations of which the fanout may not have settled every entry. */
  undelivered: Set<string>;
};

/** Whether a group may not have settled an entry: it is not before the oldest pending one, or was not read yet. */
async function unsettledFrom(redis: Redis, stream: string, group: GroupName): Promise<(id: string) => boolean> {
  const [pending, groups] = (await Promise.all([redis.xpending(stream, group), redis.xinfo('GROUPS', stream)])) as [
    [number, string | null],
    (string | number)[][],
  ];
  const fields = groups.find((one) => one[one.indexOf('name') + 1] === group);
  const delivered = String(fields?.[fields.indexOf('last-delivered-id') + 1] ?? '0-0');
  const oldest = pending[1];
  return oldest === null ? (id) => isBefore(delivered, id) : (id) => !isBefore(id, oldest);
}

export function isBefore(one: string, other: string): boolean {
  const [ms = '', n = ''] = one.split('-');
  const [otherMs = '', otherN = ''] = other.split('-');
  return ms === otherMs ? Number(n) < Number(otherN) : Number(ms) < Number(otherMs);
}

async function readStream(redis: Redis, stream: string): Promise<StreamContent> {
  const content: StreamContent = { unarchived: new Map(), undelivered: new Set() };
  if ((await redis.exists(stream)) === 0) return content;
  // Asked before the entries are read: what is settled meanwhile still counts as unsettled.
  const [isUndelivered, isUnarchived] = await Promise.all([
    unsettledFrom(redis, stream, 'inbox'),
    unsettledFrom(redis, stream, 'history'),
  ]);
  for (let from = '-'; ;) {
    const page = await redis.xrange(stream, from, '+', 'COUNT', entriesInPage);
    for (const [id, fields] of page) {
      const entry = readEntry(id, fields);
      if (entry.type === 'unknown' || entry.type === 'settings') continue;
      if (isUndelivered(id)) content.undelivered.add(entry.conversation);
      if ((!hasText(entry) && entry.type !== 'skipped') || !isUnarchived(id)) continue;
      const [fromSeq, toSeq] = hasText(entry) ? [entry.seq, entry.seq] : [entry.fromSeq, entry.toSeq];
      let seqs = content.unarchived.get(entry.conversation);
      if (seqs === undefined) content.unarchived.set(entry.conversation, (seqs = []));
      addRange(seqs, fromSeq, toSeq);
    }
    if (page.length < entriesInPage) return content;
    from = `(${page.at(-1)![0]}`;
  }
}

/**
 * Reads streams for many who ask at once. Each gets a reading that began after it asked; those who ask while one runs
 * share the next.
 */
export function createStreams(redis: Redis, keys: Keys): (partition: number) => Promise<StreamContent> {
  const running = new Map<number, Promise<StreamContent>>();
  const next = new Map<number, Promise<StreamContent>>();
  const start = (partition: number): Promise<StreamContent> => {
    const reading = readStream(redis, keys.messages(partition)).finally(() => {
      if (running.get(partition) === reading) running.delete(partition);
    });
    running.set(partition, reading);
    return reading;
  };
  return (partition) => {
    const before = running.get(partition);
    if (before === undefined) return start(partition);
    let after = next.get(partition);
    if (after === undefined) {
      after = before
        .then(
          () => undefined,
          () => undefined,
        )
        .then(() => {
          next.delete(partition);
          return start(partition);
        });
      next.set(partition, after);
    }
    return after;
  };
}
