import { isProgramFault } from '../../shared/model/errors.ts';
import { isRefused } from '../../shared/redis/failures.ts';

/**
 * A Lua error, or a key of another type: the batch made Redis do it. Refusals because of Redis' own state name the
 * script too, so they are excluded by isRefused.
 */
const ofScript = /user_script|WRONGTYPE/;

/**
 * Whether a batch failed by its own fault: the program failed on its content. Only such a batch can hold a poison
 * message. Every other fault (a store that is away, full or locked, a refusal, a time-out) says nothing about the
 * batch, which is retried without limit.
 */
export const isFaultOfBatch = (thrown: unknown): boolean =>
  isProgramFault(thrown) ||
  (thrown instanceof Error && thrown.name === 'ReplyError' && !isRefused(thrown) && ofScript.test(thrown.message));
