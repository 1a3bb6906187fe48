import type { Redis } from 'ioredis';
import { openReply, orRetryLater, storageFailure } from '../failures.ts';
import type { Keys } from '../keys.ts';
import { run } from '../scripts.ts';
import { readRoutes, type Route } from './device-routes.ts';

/**
 * Users, and devices of users, whose tokens from before a moment are refused. A revocation stays as long as Redis keeps
 * its state, because a token may be valid for any time.
 */
export const createRevocations = (redis: Redis, keys: Keys) => ({
  /** Refuses tokens issued before `seconds` (since 1970) from now on. Resolves the routes that the user had. */
  async revoke(user: string, seconds: number): Promise<Route[]> {
    const used = [keys.shardSlot(keys.shardOf(user)), keys.revoked(user), keys.user(user)];
    const revoked = run<string>(redis, 'revoke-user', used, [seconds]).then(openReply);
    return readRoutes(await orRetryLater(revoked));
  },

  /**
   * Resolves the moment (seconds since 1970) before which tokens of this user are refused, 0 if there is none. Counts
   * removals of `device` too, if it is given.
   */
  async refusedBefore(user: string, device: string | null): Promise<number> {
    if (device === null) return Number((await orRetryLater(redis.get(keys.revoked(user)))) ?? 0);
    const reads = redis.pipeline().get(keys.revoked(user)).hget(keys.revokedDevices(user), device);
    const moments = await orRetryLater(reads.exec());
    return Math.max(
      ...moments!.map(([failure, moment]) => {
        if (failure !== null) throw storageFailure(failure);
        return Number(moment ?? 0);
      }),
    );
  },
});

export type Revocations = ReturnType<typeof createRevocations>;
