import { Refusal, retryLater } from '../../model/errors.ts';

/**
 * What helps a script that cannot answer: `load` brings a conversation back from history, and resolves false when that
 * does not know it.
 */
export type Help = { load(conversation: string): Promise<boolean>; closed(): void };

/**
 * A conversation that was unloaded again before it was asked is loaded again; so often by turns happens in tests alone.
 */
const mostLoads = 5;

/**
 * Asks a script about a conversation until Redis can vouch for that: one load, unless it is unloaded again meanwhile.
 * `ask` gets whether history was asked and does not know it. Rejects with `not_found`, `forbidden`, or `retry_later`.
 */
export const createAsking =
  (help: Help) =>
  async <Reply extends string | unknown[]>(id: string, ask: (unknown: boolean) => Promise<Reply>): Promise<Reply> => {
    const word = (reply: Reply): unknown => (typeof reply === 'string' ? reply : reply[0]);
    let reply = await ask(false);
    for (let loads = 0; word(reply) === 'load'; loads++) {
      if (loads === mostLoads) throw retryLater('the conversation is being loaded');
      const known = await help.load(id);
      reply = await ask(!known);
      if (!known && word(reply) === 'load') throw new Refusal('not_found', 'no such conversation');
    }
    if (word(reply) === 'closed') {
      help.closed();
      throw retryLater('storage is being opened');
    }
    if (word(reply) === 'full') throw retryLater('too much is waiting to be delivered');
    if (word(reply) === 'not_found') throw new Refusal('not_found', 'no such conversation');
    if (word(reply) === 'forbidden') throw new Refusal('forbidden', 'this conversation cannot be changed by you');
    return reply;
  };

export type Asking = ReturnType<typeof createAsking>;
