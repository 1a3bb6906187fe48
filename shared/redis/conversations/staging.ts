import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import pLimit from 'p-limit';
import type { Keys } from '../keys.ts';
import { run } from '../scripts.ts';
import { membersInStep } from './members.ts';

/** How long staged members stay after the last step (ms). After that, the process that staged them has died. */
export const stagedStayMs = 60_000;
/** Large groups that one process stages at once. */
const largeAtOnce = 2;

/** Passes `list` to `step` in parts, one after the other. */
export async function inSteps<T>(list: readonly T[], size: number, step: (part: T[]) => Promise<void>): Promise<void> {
  for (let i = 0; i < list.length; i += size) await step(list.slice(i, i + size));
}

/**
 * Stages the members of a large group in steps that block Redis for about a millisecond each. One more step makes them
 * the group's members (create-staged.lua, install-conversation.lua).
 */
export function createStaging(redis: Redis, keys: Keys) {
  const limit = pLimit(largeAtOnce);

  return {
    /** Runs `task` with a key of its own for staged members. Removes what is left there afterwards. */
    own: <T>(id: string, task: (staged: string) => Promise<T>): Promise<T> =>
      limit(async () => {
        const staged = keys.staged(keys.partitionOf(id), id, randomBytes(9).toString('base64url'));
        try {
          return await task(staged);
        } finally {
          // If this fails, the key expires by itself.
          redis.unlink(staged).catch(() => undefined);
        }
      }),

    /** `put` is asked for each step, with the words user, spans, …. Rejects with what it rejects with. */
    put: (
      id: string,
      staged: string,
      members: readonly { user: string; spans: string }[],
      put: (ask: () => Promise<string>) => Promise<unknown>,
    ): Promise<void> =>
      inSteps(members, membersInStep, async (part) => {
        const words = part.flatMap(({ user, spans }) => [user, spans]);
        await put(() =>
          run<string>(
            redis,
            'stage-members',
            [keys.partitionSlot(keys.partitionOf(id)), staged],
            [stagedStayMs, ...words],
          ),
        );
      }),
  };
}

export type Staging = ReturnType<typeof createStaging>;
