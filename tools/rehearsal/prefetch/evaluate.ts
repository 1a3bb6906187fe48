import type { Candidate, Rank } from '../../../sdk/src/prefetch/api.ts';
import { highest } from '../../../sdk/src/prefetch/choose.ts';
import type { LogEvent } from '../irc/parse.ts';

/**
 * Replays what people wrote to each other on an IRC channel, as if each pair had a conversation, and asks before each
 * line which conversations its writer would have found ready.
 *
 * A line is written to somebody if it begins with the nick of one who was there before, and ":" or ",". A first line to
 * a new partner counts too: nothing could have been fetched for it.
 */
export type Evaluation = {
  /** Lines of writers who had conversations to choose from. */
  choices: number;
  /** Conversations of a writer, on the average. */
  candidates: number;
  /** The share of choices that were among them at all. */
  reachable: number;
  /** The share that was among the first 1, 3 and 5. */
  hits: { 1: number; 3: number; 5: number };
};

const depths = [1, 3, 5] as const;
const minuteMs = 60_000;
const addressed = /^([^\s:,]+)[:,]/;

export type Tally = { choices: number; candidates: number; reachable: number; hits: Record<1 | 3 | 5, number> };

export const emptyTally = (): Tally => ({ choices: 0, candidates: 0, reachable: 0, hits: { 1: 0, 3: 0, 5: 0 } });

/**
 * Adds one day. Nobody is known from the day before, because nicks change their owners. Only writers with at least
 * `least` conversations count: with few, every ranking finds the right one.
 */
export function evaluateDay(tally: Tally, events: readonly LogEvent[], rank: Rank, least = 1): void {
  const known = new Map<string, string>();
  const conversations = new Map<string, Map<string, Candidate>>();
  const of = (user: string): Map<string, Candidate> => {
    let found = conversations.get(user);
    if (found === undefined) conversations.set(user, (found = new Map()));
    return found;
  };

  const write = (from: string, to: string, at: number): void => {
    const next = (user: string, peer: string): Candidate => {
      const { lastSeq = 0, unread = 0, readSeq = 0 } = of(user).get(peer) ?? {};
      const isWriter = user === from;
      return {
        id: peer,
        at,
        lastSeq: lastSeq + 1,
        unread: isWriter ? 0 : unread + 1,
        readSeq: isWriter ? lastSeq + 1 : readSeq,
      };
    };
    of(from).set(to, next(from, to));
    of(to).set(from, next(to, from));
  };

  events.forEach((event, index) => {
    known.set(event.nick.toLowerCase(), event.nick);
    if (event.type === 'rename') known.set(event.to.toLowerCase(), event.to);
    if (event.type !== 'line') return;
    const to = known.get(addressed.exec(event.text)?.[1]?.toLowerCase() ?? '');
    if (to === undefined || to === event.nick) return;
    // The log has minutes alone: the order within one is that of its lines.
    const at = event.minute * minuteMs + index / events.length;
    const candidates = [...of(event.nick).values()];
    if (candidates.length >= least) {
      const best = highest(candidates, rank, Math.max(...depths), at);
      tally.choices++;
      tally.candidates += candidates.length;
      if (of(event.nick).has(to)) tally.reachable++;
      for (const depth of depths) if (best.slice(0, depth).includes(to)) tally.hits[depth]++;
    }
    write(event.nick, to, at);
  });
}

export function evaluationOf({ choices, candidates, reachable, hits }: Tally): Evaluation {
  const share = (count: number): number => (choices === 0 ? 0 : count / choices);
  return {
    choices,
    candidates: share(candidates),
    reachable: share(reachable),
    hits: { 1: share(hits[1]), 3: share(hits[3]), 5: share(hits[5]) },
  };
}
