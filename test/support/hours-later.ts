import type { Redis } from 'ioredis';

const hour = 3_600_000;

/**
 * The pool of a partition as it is when its deployment has run for hours: what was sent until now is in history alone.
 * The pool says that it knows everything of the last `knownMs`.
 */
export async function hoursLater(
  redis: Redis,
  base: string,
  slot: string,
  conversations: string[],
  knownMs = hour,
): Promise<void> {
  const epoch = await redis.hget(slot, 'epoch');
  for (const key of await redis.keys(`${base.replace('{', '\\{')}sent:*`)) await redis.del(key);
  await redis.hset(slot, 'sent', `9 0 1 0 ${knownMs} ${epoch}`);
  for (const conversation of conversations) await redis.hset(conversation, 'createdAt', Date.now() - 9 * hour);
}
