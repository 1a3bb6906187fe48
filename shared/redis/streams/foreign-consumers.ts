import type { Redis } from 'ioredis';
import { openReply } from '../failures.ts';
import type { Keys } from '../keys.ts';
import { run } from '../scripts.ts';

/** An entry held for longer than this by a foreign consumer is taken back (ms). */
const takenMs = 10_000;
const silentMs = 3_600_000;

/**
 * Takes back what a stranger has read out of a group: somebody with a shell, or a process of another make. Everything
 * behind it in the stream waits for it. Resolves how many entries were given back and how many strangers were removed,
 * who held nothing. Rejects with SlotClosed.
 */
export async function adoptPending(
  redis: Redis,
  keys: Keys,
  partition: number,
  group: string,
): Promise<[adopted: number, removed: number]> {
  const used = [keys.partitionSlot(partition), keys.messages(partition)];
  return openReply(await run<[number, number] | ['closed']>(redis, 'adopt-pending', used, [group, takenMs, silentMs]));
}
