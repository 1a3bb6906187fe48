import type { Redis } from 'ioredis';
import { retryLater } from '../shared/errors.ts';

const lookEveryMs = 1000;
/** Above this part of Redis' maxmemory no more messages are taken, so that what was taken can still be delivered. */
const mostUsed = 0.9;

/** Watches how full Redis is, where it has a limit. */
export function createMemoryWatch(redis: Redis) {
  let full = false;

  async function look(): Promise<void> {
    const info = await redis.info('memory');
    const number = (field: string): number => Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
    const limit = number('maxmemory');
    full = limit > 0 && number('used_memory') > limit * mostUsed;
  }

  const timer = setInterval(() => void look().catch(() => undefined), lookEveryMs);
  return {
    /** The same function, refusing with `retry_later` while Redis is too full. */
    guard:
      <Argument, Result>(accept: (argument: Argument) => Promise<Result>) =>
      (argument: Argument): Promise<Result> =>
        full ? Promise.reject(retryLater('storage is full')) : accept(argument),
    stop: (): void => clearInterval(timer),
  };
}
