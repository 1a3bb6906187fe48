import type { Model } from './explore.ts';
import {
  type Conversation,
  type Kind,
  type Read,
  type UserSlot,
  accept,
  acceptable,
  append,
  catchUp,
  covers,
  created,
  isMember,
  letters,
  nothingRead,
  reachOf,
  SMALL,
  versionOf,
} from './large-conversation.ts';

/**
 * The first model of large groups: accepting, the fanout, U's inbox and its catch-up. Two fanouts work at once, and
 * each restarts at the oldest unsettled entry at any time. Reviews read and catch up at any time.
 */
export type InboxRules = {
  /** A review reads spans and `large` before the seq. */
  spansBeforeSeq?: true;
  /** A catch-up also happens if U's last seq is from before C became large. */
  whateverSince?: true;
  /** A catch-up reaches past changes of U itself. */
  overOwnChanges?: true;
  /** The prev of `shrunk` is the previous seq, not the one from which C was large. */
  shrunkAfterSeqBefore?: true;
  /** `larges` also changes if the entry is skipped. */
  listedWhenSkipped?: true;
};

type Review = { step: 'idle' | 'begun' | 'half' | 'read'; read: Read };
type State = {
  conversation: Conversation;
  user: UserSlot;
  settled: number;
  /**
   * The next entry of each fanout. Reading the spans and appending are one step here, because spans never change for a
   * seq that was accepted.
   */
  owners: readonly number[];
  reviews: readonly Review[];
  repeats: number;
  begun: number;
  wrong: string | null;
};

const replaced = <T>(list: readonly T[], index: number, value: T): T[] =>
  list.map((one, at) => (at === index ? value : one));

export type InboxBounds = { seqs: number; repeats: number; reviews: number; atOnce: number };

export function largeInboxes(bounds: InboxBounds, rules: InboxRules = {}): Model<State> {
  const begin = (large: number, member: boolean): State => ({
    conversation: created(large, member),
    user: { last: 0, listed: member && large !== SMALL, inbox: [] },
    settled: 0,
    owners: [1, 1],
    reviews: Array.from({ length: bounds.atOnce }, (): Review => ({ step: 'idle', read: nothingRead })),
    repeats: 0,
    begun: 0,
    wrong: null,
  });

  /** The steps of one fanout. */
  const fanout = (state: State, index: number): [string, State][] => {
    const { conversation, settled, owners, repeats } = state;
    const at = owners[index]!;
    const name = `fanout ${index + 1}`;
    const steps: [string, State][] = [];
    const entry = conversation.log[at - 1];
    const goTo = (next: number): number[] => replaced(owners, index, next);
    if (entry !== undefined) {
      const { user, outcome } = append(state.user, at, entry, conversation.spans, rules.listedWhenSkipped === true);
      const hole = outcome === 'hole';
      steps.push([
        `${name} handles ${at} (${entry[0]}, ${entry[2]}): ${outcome}`,
        {
          ...state,
          user,
          owners: goTo(hole ? settled + 1 : at + 1),
          wrong: hole && at === settled + 1 ? `a hole for ever before ${at}` : null,
        },
      ]);
    }
    if (at - 1 > settled) steps.push([`${name} settles up to ${at - 1}`, { ...state, settled: at - 1 }]);
    if (at <= settled) steps.push([`${name} goes on at ${settled + 1}`, { ...state, owners: goTo(settled + 1) }]);
    if (at > settled + 1 && repeats < bounds.repeats) {
      steps.push([
        `${name} begins again at ${settled + 1}`,
        { ...state, repeats: repeats + 1, owners: goTo(settled + 1) },
      ]);
    }
    return steps;
  };

  /** The steps of one review. */
  const review = (state: State, index: number): [string, State][] => {
    const { conversation, user, reviews, begun } = state;
    const { step, read } = reviews[index]!;
    const name = `review ${index + 1}`;
    const turn = (value: Review): Review[] => replaced(reviews, index, value);
    const withSeq = { ...read, seq: conversation.log.length };
    const withRest = {
      ...read,
      large: conversation.large,
      spans: conversation.spans,
      version: versionOf(conversation),
    };
    switch (step) {
      case 'idle':
        if (begun >= bounds.reviews || !user.listed) return [];
        return [
          [
            `${name} begins`,
            { ...state, begun: begun + 1, reviews: turn({ step: 'begun', read: { ...nothingRead, last: user.last } }) },
          ],
        ];
      case 'begun':
        return rules.spansBeforeSeq === true
          ? [[`${name} reads the spans`, { ...state, reviews: turn({ step: 'half', read: withRest }) }]]
          : [[`${name} reads seq ${withSeq.seq}`, { ...state, reviews: turn({ step: 'half', read: withSeq }) }]];
      case 'half':
        return [
          [
            `${name} reads the rest`,
            { ...state, reviews: turn({ step: 'read', read: rules.spansBeforeSeq === true ? withSeq : withRest }) },
          ],
        ];
      case 'read': {
        const reach = reachOf(read, rules.overOwnChanges === true);
        const after = catchUp(user, read.large, reach, rules.whateverSince === true);
        const gap = after === user ? undefined : after.inbox.at(-1);
        const swallowed =
          gap === undefined ? undefined : conversation.log.slice(gap[1] - 1, gap[2]).find(([way]) => way !== 'large');
        return [
          [
            `${name} catches up to ${reach}: last ${user.last} -> ${after.last}`,
            {
              ...state,
              user: after,
              reviews: turn({ step: 'idle', read: nothingRead }),
              wrong: swallowed === undefined ? null : `a catch-up covers what goes to the inbox: ${swallowed[0]}`,
            },
          ],
        ];
      }
    }
  };

  const resting = ({ conversation, settled, reviews }: State): boolean =>
    settled === conversation.log.length && reviews.every(({ step }) => step === 'idle');

  const violated = (state: State): string | null => {
    const { conversation, user, wrong } = state;
    if (wrong !== null) return wrong;
    const { log, large, spans } = conversation;
    const told = new Set<number>();
    let before = 0;
    for (const [kind, from, to] of user.inbox) {
      if (from <= before) return `${kind} ${from}..${to} comes after ${before}`;
      before = to;
      for (let seq = from; seq <= to; seq += 1) {
        if (!covers(spans, seq)) return `${kind} ${from}..${to} is outside of the spans`;
        told.add(seq);
      }
    }
    if (!resting(state)) return null;
    const read: Read = { last: user.last, seq: log.length, large, spans, version: 0 };
    const rested = catchUp(user, large, reachOf(read, rules.overOwnChanges === true), rules.whateverSince === true);
    for (let seq = 1; seq <= log.length; seq += 1) {
      if (covers(spans, seq) && !told.has(seq) && !(seq > user.last && seq <= rested.last)) return `lost: ${seq}`;
    }
    if (user.listed !== (large !== SMALL && isMember(spans)))
      return `larges is wrong: ${user.listed ? 'has C' : 'C is missing'}`;
    return null;
  };

  return {
    key: ({ conversation, user, settled, owners, reviews, repeats, begun, wrong }) => {
      const inbox = user.inbox.map(([kind, from, to]) => `${kind[0]}${from}${to}`).join('');
      const reads = reviews.map(
        ({ step, read: { last, seq, large, spans } }) =>
          `${step}${letters(last, seq, large, spans.length, spans.at(-1)?.[1] ?? 0)}`,
      );
      // The fanouts are alike, and so are the reviews: their order makes no difference.
      return `${conversation.story}|${inbox}|${reads.toSorted().join('')}|${wrong}|${letters(
        user.last,
        +user.listed,
        settled,
        ...owners.toSorted(),
        repeats,
        begun,
      )}`;
    },
    initial: [begin(SMALL, true), begin(0, true), begin(SMALL, false), begin(0, false)],
    next: (state) => {
      const { conversation } = state;
      const steps: [string, State][] = [];
      if (conversation.log.length < bounds.seqs) {
        // U does not care which other member comes or goes, only whether the group is above the threshold.
        for (const kind of acceptable(conversation).filter((one): one is Kind => one !== 'other')) {
          for (const wants of [false, true]) {
            const after = accept(conversation, kind, wants, rules.shrunkAfterSeqBefore === true);
            steps.push([
              `${after.log.length} is accepted: ${after.log.at(-1)![0]}, ${kind}`,
              { ...state, conversation: after },
            ]);
          }
        }
      }
      for (const index of state.owners.keys()) steps.push(...fanout(state, index));
      for (const index of state.reviews.keys()) steps.push(...review(state, index));
      return steps;
    },
    violated,
    resting,
  };
}
