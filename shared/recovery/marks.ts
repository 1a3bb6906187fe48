import type { Redis } from 'ioredis';
import type { Keys } from '../redis/keys.ts';
import { run } from '../redis/scripts.ts';
import { slotsOf } from './slots.ts';

/**
 * Leaves a mark in every slot of an open run of Redis. Resolves the marks by the slots' names, for history, which keeps
 * them: a Redis that comes back without one has lost what was written before it. Resolves null if Redis is not open for
 * that run.
 */
export async function leaveMarks(redis: Redis, keys: Keys, runId: string): Promise<Map<string, number> | null> {
  const slots = slotsOf(keys);
  const marks = await run<number[]>(redis, 'mark-slots', [keys.deployment, ...slots.keys], [runId]);
  return marks.length === 0 ? null : new Map(slots.names.map((name, i) => [name, marks[i]!]));
}
