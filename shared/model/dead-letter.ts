/**
 * Why something ended as a dead letter.
 *   poison           a stream entry whose handling failed every time
 *   unknown_format   a stream entry of a format that this version does not read
 *   no_conversation  a stream entry of a conversation that is nowhere
 *   conflict         a message whose seq is held by another one
 *   undelivered      pushed and never received; the inbox still holds it
 *   unnotified       a notification that its receiver never took
 *   job_failed       a job that used up its attempts, or crashed its worker too often
 */
export const deadLetterReasons = [
  'poison',
  'unknown_format',
  'no_conversation',
  'conflict',
  'undelivered',
  'unnotified',
  'job_failed',
] as const;

export type DeadLetterReason = (typeof deadLetterReasons)[number];

/**
 * What could not be processed, delivered or notified. `id` is a function of what failed, so that reporting it twice
 * leaves one. `at` is in ms since 1970; `error` the last error in words; `content` what a replay needs, if the subject
 * no longer holds it. The subject of an amendment has `amends`: the seq that it amends, 0 if that cannot be read.
 */
export type DeadLetter = {
  id: string;
  reason: DeadLetterReason;
  at: number;
  attempts: number;
  error: string;
  subject: Record<string, string | number>;
  content?: string;
  /** Set once a replay was carried out; what it did, in words. */
  replayed?: { at: number; effect: string };
};

/**
 * A letter as it is shown. Its content is a message's, which may have been recalled since: who wants to see it says so.
 */
export function withoutContent({ content: _, ...letter }: DeadLetter): DeadLetter {
  return letter;
}
