import type { Redis } from 'ioredis';
import { type DeadLetter, type DeadLetterReason, deadLetterReasons } from '../model/dead-letter.ts';
import type { GroupName } from '../model/groups.ts';
import { wallMs } from '../timing/clocks.ts';
import type { Keys } from './keys.ts';
import { run } from './scripts.ts';

export type DeadLetterPage = {
  deadLetters: DeadLetter[];
  /** How many are open, by reason. */
  counts: Record<DeadLetterReason, number>;
  /** `after` of the next page, when there is one. */
  next?: string;
};

const history: GroupName = 'history';
/** Of amendments that history does not have: what they recall or edit is still read as it was. */
const lostAmendments = 'amendments';
const countedAs = ({ subject }: DeadLetter): string =>
  subject['amends'] !== undefined && subject['group'] === history ? lostAmendments : '';

/**
 * The dead letters of the deployment. A letter that was added stays until it is replayed, and is found by its id
 * afterwards.
 */
export function createDeadLetters(redis: Redis, keys: Keys) {
  const { letters, open, openOf, counts } = keys.deadLetters;

  const parsed = (text: string | null): DeadLetter | null => (text === null ? null : (JSON.parse(text) as DeadLetter));

  return {
    /** Resolves once the letter is stored, true if it is new. Only then may its entry be settled. */
    async add(letter: DeadLetter): Promise<boolean> {
      const { id, at, reason } = letter;
      return (
        (await run<number>(
          redis,
          'add-dead-letter',
          [letters, open, openOf(reason), counts],
          [id, at, JSON.stringify(letter), reason, countedAs(letter)],
        )) === 1
      );
    },

    /** One letter, replayed or not; null when there is none. */
    async find(id: string): Promise<DeadLetter | null> {
      return parsed(await redis.hget(letters, id));
    },

    /** Says what its replay did. Resolves false when another replay said so before. */
    async close(letter: DeadLetter, effect: string): Promise<boolean> {
      const { id, reason } = letter;
      const text = JSON.stringify({ ...letter, replayed: { at: wallMs(), effect } });
      const args = [id, text, reason, countedAs(letter)];
      return (await run<number>(redis, 'close-dead-letter', [letters, open, openOf(reason), counts], args)) === 1;
    },

    /** How many open letters are of amendments that history does not have. */
    async lostAmendments(): Promise<number> {
      return Number(await redis.hget(counts, lostAmendments));
    },

    /** Open letters, newest first; `after` is the id of the last one of the page before. */
    async list(query: { reason?: DeadLetterReason; after?: string; limit: number }): Promise<DeadLetterPage> {
      const under = query.reason === undefined ? open : openOf(query.reason);
      const rank = query.after === undefined ? null : await redis.zrevrank(under, query.after);
      const start = rank === null ? 0 : rank + 1;
      const ids = await redis.zrevrange(under, start, start + query.limit);
      const more = ids.length > query.limit;
      if (more) ids.pop();
      const [texts, found] = await Promise.all([
        ids.length === 0 ? [] : redis.hmget(letters, ...ids),
        redis.hgetall(counts),
      ]);
      const byReason = Object.fromEntries(deadLetterReasons.map((reason) => [reason, Number(found[reason] ?? 0)]));
      return {
        deadLetters: texts.flatMap((text) => parsed(text) ?? []),
        counts: byReason as Record<DeadLetterReason, number>,
        ...(more ? { next: ids.at(-1)! } : {}),
      };
    },
  };
}

export type DeadLetters = ReturnType<typeof createDeadLetters>;
