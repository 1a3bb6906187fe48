import { type Refusal, retryLater } from '../../shared/model/errors.ts';

declare const guarded: unique symbol;
/**
 * A write that passes the guard. The mark exists only in the types: it keeps an unguarded write from being used where a
 * guarded one is required.
 */
export type Guarded<Write> = Write & { readonly [guarded]: true };

/**
 * The one guard for everything that clients write into the message streams: sends, groups, members, names,
 * retention and settings. Before Redis is asked, it refuses with `retry_later` while
 *
 * - this run of Redis has not been compared with history: a seq could be given twice, and a new entry would hide the
 *   loss;
 * - Redis is too full: the rest of its memory is needed to deliver what was accepted.
 *
 * The third reason to refuse, too many unsettled entries, is checked by the scripts: only they see the present count
 * (slot-state.include.lua).
 *
 * Not guarded:
 *
 * - `received` and read seqs: they overwrite a bounded number of fields, and let inboxes and jobs shrink;
 * - `hello`: it adds one of at most 20 devices, and without it nobody could receive;
 * - revoking tokens and forgetting devices: they only remove;
 * - loading from history what Redis lost: it checks the deployment itself (loading.ts), and reads must go on while
 *   Redis is full;
 * - workers: they write what was accepted before.
 */
export function createWriteGuard(memory: { readonly isFull: boolean }, deployment: { readonly isOpen: boolean }) {
  const refusal = (): Refusal | null => {
    if (!deployment.isOpen) return retryLater('storage is being opened');
    return memory.isFull ? retryLater('storage is full') : null;
  };

  /** Puts a write behind the guard. */
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
