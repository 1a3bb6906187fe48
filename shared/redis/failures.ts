import { Refusal, retryLater } from '../model/errors.ts';
import { HeldCommand } from './connection/held-commands.ts';

/**
 * Errors by which Redis refuses a command before doing anything of it. A script's first write meets them too, and
 * nothing of the script is done then: ours do all their reading and checking before it.
 */
const refusals =
  /^(OOM|MISCONF|LOADING|READONLY|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|NOAUTH|NOPERM|WRONGPASS|NOSCRIPT)\b/;

/** Redis has refused the command before doing anything of it. */
export const isRefused = (thrown: unknown): boolean =>
  thrown instanceof Error && thrown.name === 'ReplyError' && refusals.test(thrown.message);

/** The command was certainly not carried out: it was refused, or never written to a connection. */
const certainlyNotDone = (thrown: unknown): boolean =>
  thrown instanceof HeldCommand ||
  isRefused(thrown) ||
  (thrown instanceof Error && thrown.message.startsWith("Stream isn't writeable"));

/** For a write whose repetition is guarded by a clientId: told apart whether it can have happened. */
export function writeFailure(thrown: unknown): Refusal {
  if (thrown instanceof Refusal) return thrown;
  return certainlyNotDone(thrown)
    ? retryLater('storage does not take messages now', thrown)
    : new Refusal('unknown_outcome', 'storage did not answer: send again with the same clientId', {
        retryAfterMs: 1000,
        cause: thrown,
      });
}

/** For reads and for writes that may simply be repeated. */
export const storageFailure = (thrown: unknown): Refusal =>
  thrown instanceof Refusal ? thrown : retryLater('storage does not answer now', thrown);
