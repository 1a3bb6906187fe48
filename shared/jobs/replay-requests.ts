import type { DeadLetters } from '../redis/dead-letters.ts';
import { jobRetries } from '../timing/retry.ts';
import { exponentialBackoff, type JobQueue } from './queues.ts';

/**
 * `requested`: the jobs process replays it soon, and marks the letter with the effect. `done`: it was replayed before.
 */
export type ReplayAnswer = 'requested' | 'done' | 'unknown';

/** The data of a job in the queue `dead-letter`. */
export type ReplayJob = { id: string };

/** Asks for the replay of a dead letter. Asking again has no further effect. */
export async function requestReplay(
  queue: JobQueue,
  deadLetters: Pick<DeadLetters, 'find'>,
  id: string,
): Promise<ReplayAnswer> {
  const letter = await deadLetters.find(id);
  if (letter === null) return 'unknown';
  if (letter.replayed !== undefined) return 'done';
  const data: ReplayJob = { id };
  await queue.add('replay', data, {
    jobId: `replay_${id}`,
    ...exponentialBackoff(jobRetries.replay),
    removeOnComplete: true,
  });
  return 'requested';
}
