import type { Redis } from 'ioredis';
import { groupNames } from '../../shared/model/groups.ts';
import { whenReady } from '../../shared/redis/connection/connect.ts';
import { runOf } from '../../shared/redis/connection/run.ts';

/** Resolves what makes a slot open for calls through this connection, which must know its run (connectRedis). */
export async function openFor(redis: Redis): Promise<{ open: string }> {
  await whenReady(redis);
  const open = runOf(redis);
  if (open === '') throw new Error('the connection does not know its run of Redis: make it with connectRedis');
  return { open };
}

/**
 * Opens one slot like the first start does, for tests without anything to compare with. If the stream of a partition is
 * given, its groups are created too.
 */
export async function openSlot(redis: Redis, slot: string, messages?: string, epoch = 'epoch'): Promise<void> {
  await redis.hset(slot, {
    epoch,
    line: epoch,
    generation: '0',
    complete: '1',
    since: String(Date.now()),
    ...(await openFor(redis)),
  });
  if (messages === undefined) return;
  for (const group of groupNames) await redis.xgroup('CREATE', messages, group, '0', 'MKSTREAM');
}
