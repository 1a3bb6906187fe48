import { isProgramFault } from '../../shared/model/errors.ts';
import { isRefused } from '../../shared/redis/failures.ts';

/**
 * A Lua error, or a key of another type: what the batch made Redis do. What Redis refuses because of its own state
 * names the script too.
 */
const ofScript = /user_script|WRONGTYPE/;

/**
 * Whether a batch failed by its own fault: the program stumbled over what it holds. Everything else (a store that is
 * away, full or locked, a refusal, a time-out) says nothing about the batch and is tried again for ever: only what this
 * is true of can become poison.
 */
export const isFaultOfBatch = (thrown: unknown): boolean =>
  isProgramFault(thrown) ||
  (thrown instanceof Error && thrown.name === 'ReplyError' && !isRefused(thrown) && ofScript.test(thrown.message));
