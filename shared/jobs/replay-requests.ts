import type { DeadLetters } from '../redis/dead-letters.ts';
import { jobRetries } from '../timing/retry.ts';
import { exponentialBackoff, type JobQueue } from './queues.ts';

/**
 * `requested`: the jobs process does it soon, and marks the letter with what it did. `done`: it was replayed before.
 */
export type ReplayAnswer = 'requested' | 'done' | 'unknown';

/** What a job `replay` of the queue `dead-letter` holds. */
export type ReplayJob = { id: string };

/** Asks for the replay of a dead letter. However often it is asked, a replay has one effect. */
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
