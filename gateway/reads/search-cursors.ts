import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Redis } from 'ioredis';
import { badRequest } from '../../shared/model/errors.ts';
import { orRetryLater } from '../../shared/redis/failures.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { wallMs } from '../../shared/timing/clocks.ts';

/** A cursor is valid for this long (ms). */
const validMs = 600_000;
const pattern = /^([0-9a-z]{1,11})\.([0-9a-z]{1,11})\.([A-Za-z0-9_-]{22})$/;

const invalid = () => badRequest('next: not of this search, or older than ten minutes; begin again without it');

/**
 * The `next` of searches: where to go on, signed, so that it is good for the search that it was given for and for ten
 * minutes. The secret is in Redis, where every gateway finds it; after a loss there is another one, and clients begin
 * their search again.
 */
export function createSearchCursors(redis: Redis, keys: Pick<Keys, 'searchKey'>, now = wallMs) {
  let secret: string | null = null;

  async function read(): Promise<string> {
    await redis.set(keys.searchKey, randomBytes(32).toString('base64'), 'NX');
    return (await redis.get(keys.searchKey)) ?? '';
  }

  const signed = (key: string, search: string, rank: string, at: string): string =>
    createHmac('sha256', key)
      .update(`${hash('sha256', search)} ${rank} ${at}`)
      .digest('base64url')
      .slice(0, 22);

  function verified(key: string, search: string, next: string): number | null {
    const [, rank = '', at = '', signature = ''] = pattern.exec(next) ?? [];
    const expected = signed(key, search, rank, at);
    if (signature.length !== expected.length) return null;
    if (!timingSafeEqual(Buffer.from(signature), Buffer.from(expected))) return null;
    const age = now() - parseInt(at, 36);
    // Gateways' clocks may differ a little.
    return age > validMs || age < -validMs ? null : parseInt(rank, 36);
  }

  return {
    /** `search`: everything that the search is about, as text. */
    async write(search: string, rank: number): Promise<string> {
      secret ??= await orRetryLater(read());
      const [first, second] = [rank.toString(36), Math.floor(now()).toString(36)];
      return `${first}.${second}.${signed(secret, search, first, second)}`;
    },

    /** Throws `bad_request` if it was not given for this search, or too long ago. */
    async read(search: string, next: string): Promise<number> {
      if (!pattern.test(next)) throw invalid();
      secret ??= await orRetryLater(read());
      let rank = verified(secret, search, next);
      if (rank === null) {
        secret = await orRetryLater(read());
        rank = verified(secret, search, next);
      }
      if (rank === null) throw invalid();
      return rank;
    },
  };
}

export type SearchCursors = ReturnType<typeof createSearchCursors>;
