import type { Redis } from 'ioredis';
import { groupNames } from '../../shared/model/groups.ts';

/**
 * Opens one slot like the first start does, for tests without anything to compare with. If the stream of a partition is
 * given, its groups are created too.
 */
export async function openSlot(redis: Redis, slot: string, messages?: string, epoch = 'epoch'): Promise<void> {
  await redis.hset(slot, { epoch, generation: '0', complete: '1', since: String(Date.now()) });
  if (messages === undefined) return;
  for (const group of groupNames) await redis.xgroup('CREATE', messages, group, '0', 'MKSTREAM');
}
