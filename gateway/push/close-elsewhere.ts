import type { Redis } from 'ioredis';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { closePayload } from '../../shared/redis/push-bus.ts';

/**
 * Asks a gateway to close one session of a user. Nothing waits for it: a lost request is noticed when that gateway
 * renews its lease.
 */
export type CloseElsewhere = (gateway: string, user: string, session: string, code: number, why: string) => void;

export const createCloseElsewhere =
  (redis: Pick<Redis, 'publish'>, keys: Pick<Keys, 'push'>, log: Logger): CloseElsewhere =>
  (gateway, user, session, code, why) => {
    redis.publish(keys.push(gateway), closePayload(user, session, code, why)).catch((thrown: unknown) => {
      log.warn({ event: 'close_elsewhere_failed', user, reason: reason(thrown) });
    });
  };
