import type { Redis } from 'ioredis';
import { storageFailure } from '../failures.ts';
import type { Keys } from '../keys.ts';
import { run } from '../scripts.ts';
import { readRoutes, type Route } from './device-routes.ts';

/**
 * Users, and devices of users, whose tokens of before a moment are refused. What is written stays as long as Redis
 * keeps its state: a token says itself how long it is good, and that may be any time.
 */
export const createRevocations = (redis: Redis, keys: Keys) => ({
  /** From now on tokens issued before `seconds` (since 1970) are refused. Resolves the routes that the user had. */
  async revoke(user: string, seconds: number): Promise<Route[]> {
    try {
      return readRoutes(await run<string>(redis, 'revoke-user', [keys.revoked(user), keys.user(user)], [seconds]));
    } catch (thrown) {
      throw storageFailure(thrown);
    }
  },

  /**
   * Tokens of this user, for this device if there is one, that were issued before this moment (seconds since 1970) are
   * refused; 0: none is.
   */
  async refusedBefore(user: string, device: string | null): Promise<number> {
    try {
      if (device === null) return Number((await redis.get(keys.revoked(user))) ?? 0);
      const moments = await redis.pipeline().get(keys.revoked(user)).hget(keys.revokedDevices(user), device).exec();
      return Math.max(
        ...moments!.map(([failure, moment]) => {
          if (failure !== null) throw failure;
          return Number(moment ?? 0);
        }),
      );
    } catch (thrown) {
      throw storageFailure(thrown);
    }
  },
});

export type Revocations = ReturnType<typeof createRevocations>;
