import type { Message } from '../wire.ts';

/** The most messages that are remembered: about as many as one sender repeats after a loss. */
const keptMost = 1000;

const keyOf = ({ sender, clientId }: Message): string => `${sender} ${clientId}`;

/**
 * Knows messages that were accepted again after a loss of the server's state. They have the clientId of the first time
 * and a new seq, above a range that never comes: so nothing is looked up before such a range.
 *
 * `last` is the seq after which reading begins; `newestUpTo` reads what is stored below. Messages are given by rising
 * seq.
 */
export function createRepeats(
  last: number,
  newestUpTo: (seq: number, limit: number) => Promise<Message[]>,
): (message: Message) => Promise<boolean> {
  let below = last;
  let known: Set<string> | null = null;

  return async (message) => {
    if (below > 0 && message.seq > below + 1) known ??= new Set((await newestUpTo(below, keptMost)).map(keyOf));
    below = message.seq;
    const key = keyOf(message);
    if (known === null) return false;
    if (known.has(key)) return true;
    known.add(key);
    if (known.size > keptMost) known.delete(known.values().next().value!);
    return false;
  };
}
