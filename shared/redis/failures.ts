import { Refusal, retryLater } from '../model/errors.ts';
import { HeldCommand } from './connection/held-commands.ts';

/**
 * Errors by which Redis refuses a command before it does any of it. They also meet a script's first write. Nothing of
 * the script is done then, because our scripts read and check everything before they write.
 */
const refusals =
  /^(OOM|MISCONF|LOADING|READONLY|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|NOAUTH|NOPERM|WRONGPASS|NOSCRIPT)\b/;

/** Whether Redis refused the command before it did any of it. */
export const isRefused = (thrown: unknown): boolean =>
  thrown instanceof Error && thrown.name === 'ReplyError' && refusals.test(thrown.message);

/** A script did nothing, because its slot is not open for this run of Redis (slot-open.include.lua). */
export class SlotClosed extends Error {
  override readonly name = 'SlotClosed';
}

/** Returns a script's reply. Throws SlotClosed if it says that the slot is not open. */
export function openReply<Reply>(reply: Reply | 'closed' | ['closed']): Reply {
  if (reply === 'closed' || (Array.isArray(reply) && reply[0] === 'closed'))
    throw new SlotClosed('the slot is not open for this run of Redis');
  return reply as Reply;
}

/** A script did nothing, because another epoch has begun since its caller read history. */
export class ReadBeforeLoss extends Error {
  override readonly name = 'ReadBeforeLoss';
}

/** Returns the reply of an installing script. Throws ReadBeforeLoss if what it was given is too old. */
export function currentReply(reply: string): string {
  if (reply === 'outdated') throw new ReadBeforeLoss('history was read before the present epoch');
  return reply;
}

/** Whether the command was certainly not carried out: it was refused, or never written to a connection. */
const certainlyNotDone = (thrown: unknown): boolean =>
  thrown instanceof HeldCommand ||
  thrown instanceof SlotClosed ||
  isRefused(thrown) ||
  (thrown instanceof Error && thrown.message.startsWith("Stream isn't writeable"));

/** For a write that a clientId makes repeatable: says whether it may have happened. */
export function writeFailure(thrown: unknown): Refusal {
  if (thrown instanceof Refusal) return thrown;
  return certainlyNotDone(thrown)
    ? retryLater('storage does not take messages now', thrown)
    : new Refusal('unknown_outcome', 'storage did not answer: send again with the same clientId', {
        retryAfterMs: 1000,
        cause: thrown,
      });
}

/** For reads, and for writes that may simply be repeated. */
export const storageFailure = (thrown: unknown): Refusal =>
  thrown instanceof Refusal ? thrown : retryLater('storage does not answer now', thrown);

/** Resolves as `work` does. If storage fails, rejects with `retry_later`: for work that may simply be repeated. */
export async function orRetryLater<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (thrown) {
    throw storageFailure(thrown);
  }
}
