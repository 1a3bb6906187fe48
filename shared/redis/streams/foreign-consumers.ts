import type { Redis } from 'ioredis';
import type { Keys } from '../keys.ts';
import { run } from '../scripts.ts';

/** An entry held for longer than this by a foreign consumer is taken back (ms). */
const takenMs = 10_000;
const silentMs = 3_600_000;

/**
 * Takes back what a stranger has read out of a group: somebody with a shell, or a process of another make. Everything
 * behind it in the stream waits for it. Resolves how many entries were given back and how many strangers were removed,
 * who held nothing.
 */
export const adoptPending = (redis: Redis, keys: Keys, partition: number, group: string): Promise<[number, number]> =>
  run<[number, number]>(redis, 'adopt-pending', [keys.messages(partition)], [group, takenMs, silentMs]);
