import { Refusal, retryLater } from '../../model/errors.ts';
import { orRetryLater } from '../failures.ts';

/**
 * What helps a script that cannot answer. `load` brings a conversation back from history, and resolves false if history
 * does not know it. `closed` is told that the slot is not open. `seen` is told of the last entry that each call made or
 * read: the partition's stream reaches this id. It throws `unknown_outcome` if this process may not answer for that.
 */
export type Help = {
  load(conversation: string): Promise<boolean>;
  closed(): void;
  seen(partition: number, streamId: string): void;
};

/** A conversation that is unloaded again before it is asked is loaded again. Only tests reach this many turns. */
const mostLoads = 5;

/**
 * Asks a script about a conversation until Redis can vouch for it. That takes one load, unless the conversation is
 * unloaded again meanwhile. `ask` is told whether history was asked and does not know the conversation. Rejects with
 * `not_found`, `forbidden`, or `retry_later`; the latter also if storage fails.
 */
export function createAsking(help: Help) {
  async function reply<Reply extends string | unknown[]>(
    id: string,
    ask: (unknown: boolean) => Promise<Reply>,
  ): Promise<Reply> {
    const word = (one: Reply): unknown => (typeof one === 'string' ? one : one[0]);
    let answer = await ask(false);
    for (let loads = 0; word(answer) === 'load'; loads++) {
      if (loads === mostLoads) throw retryLater('the conversation is being loaded');
      const known = await help.load(id);
      answer = await ask(!known);
      if (!known && word(answer) === 'load') throw new Refusal('not_found', 'no such conversation');
    }
    switch (word(answer)) {
      case 'closed':
        help.closed();
        throw retryLater('storage is being opened');
      case 'full':
        throw retryLater('too much is waiting to be delivered');
      case 'not_found':
        throw new Refusal('not_found', 'no such conversation');
      case 'forbidden':
        throw new Refusal('forbidden', 'this conversation cannot be changed by you');
      default:
        return answer;
    }
  }

  return <Reply extends string | unknown[]>(id: string, ask: (unknown: boolean) => Promise<Reply>): Promise<Reply> =>
    orRetryLater(reply(id, ask));
}

export type Asking = ReturnType<typeof createAsking>;
