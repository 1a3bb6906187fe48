import { retryLater } from '../../model/errors.ts';
import { storageFailure } from '../failures.ts';

/**
 * What helps a script that cannot answer. `load` gives a user back what history knows after a loss; `closed` is told
 * that the slot is not open.
 */
export type Help = {
  load(user: string): Promise<void>;
  closed(): void;
  /** A list is made of what the user's inbox has up to this head: it must not be missing later (evidence.ts). */
  listed?(user: string, epoch: string, head: number): void;
};

/**
 * Asks a script about a user, and once more after a load if the script needs one. Rejects with `retry_later` if Redis
 * does not answer or is not open.
 */
export const createAsking =
  (help: Help) =>
  async (user: string, ask: () => Promise<unknown[]>): Promise<unknown[]> => {
    try {
      let reply = await ask();
      if (reply[0] === 'load') {
        await help.load(user);
        reply = await ask();
      }
      if (reply[0] === 'closed' || reply[0] === 'load') {
        help.closed();
        throw retryLater('storage is being opened');
      }
      return reply;
    } catch (thrown) {
      throw storageFailure(thrown);
    }
  };

export type Asking = ReturnType<typeof createAsking>;
