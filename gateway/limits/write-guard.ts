import { type Refusal, retryLater } from '../../shared/model/errors.ts';

declare const guarded: unique symbol;
/**
 * A write that passes the guard. The mark is for the types alone: a write without it does not fit where one is asked
 * for.
 */
export type Guarded<Write> = Write & { readonly [guarded]: true };

/**
 * The one guard before everything that clients have written into the message streams: sends, groups, members, names,
 * days. It refuses with `retry_later`, before Redis is asked, while
 *
 * - this run of Redis has not been compared with history: a number could be given again, and one more entry would hide
 *   the loss;
 * - Redis is too full: the rest is for the delivery of what was accepted.
 *
 * The third refusal, too many unsettled entries, is the scripts' own, since only they see the count of the moment
 * (slot-state.include.lua).
 *
 * Not guarded, and why: `received` and read seqs overwrite fields of a bounded number and let inboxes and jobs get
 * smaller; a hello adds one of at most 20 devices, and whoever cannot connect cannot receive either; revoking and
 * forgetting only take away. Loading from history what Redis lost asks the deployment itself (loading.ts): it gives
 * numbers too, but reading must go on while Redis is full. Workers write what was accepted before.
 */
export function createWriteGuard(memory: { readonly isFull: boolean }, deployment: { readonly isOpen: boolean }) {
  const refusal = (): Refusal | null => {
    if (!deployment.isOpen) return retryLater('storage is being opened');
    return memory.isFull ? retryLater('storage is full') : null;
  };

  /** The same function behind the guard. */
  return <Asked extends unknown[], Result>(
    write: (...asked: Asked) => Promise<Result>,
  ): Guarded<(...asked: Asked) => Promise<Result>> => {
    const behind = (...asked: Asked): Promise<Result> => {
      const refused = refusal();
      return refused === null ? write(...asked) : Promise.reject(refused);
    };
    return behind as Guarded<typeof behind>;
  };
}

export type WriteGuard = ReturnType<typeof createWriteGuard>;
