import {
  type Conversation,
  type Read,
  type Span,
  type UserSlot,
  catchUp,
  covers,
  nothingRead,
  reachOf,
  SMALL,
  versionOf,
} from './large-conversation.ts';

/** A gateway's index of large groups, reduced to U and the conversation C, and the session of one device of U. */

/** The rules of the protocol, each of which can be left out. */
export type GatewayRules = {
  /** Publishes during a review are not buffered until it ends. */
  nothingBuffered?: true;
  /** A publish that skips seqs is treated as the next one. */
  noNewestCheck?: true;
  /** A version that no publish explains does not make the gateway read the spans again. */
  noVersionCheck?: true;
  /** The newest seq is never compared with the one in Redis. */
  noTailCheck?: true;
  /** U is attached although its inbox does not end where the review has read. */
  attachedWhenIncomplete?: true;
  /** Buffered items are sent even if the inbox has covered them meanwhile. */
  bufferOutlivesInbox?: true;
  /** A loss noticed during a review does not restart it. */
  reviewOutlivesLoss?: true;
  /** The review of one user moves the newest seq for all users. */
  newestFromAnyReview?: true;
  /** The catch-up script does not return the head of the inbox. */
  headNotLearnt?: true;
};

/** U's state in the index. */
export type Place = {
  step: 'off' | 'subscribed' | 'half' | 'read' | 'attached';
  read: Read;
  /** The inbox covers everything up to this seq; the channel delivers what follows. */
  since: number;
  spans: readonly Span[];
  version: number;
  /** Seqs of items that wait until the review ends or the session is live. */
  buffer: readonly number[];
};
type Session = {
  /** Positions: the last one sent, and the head as known to the session. The session is live if they are equal. */
  sent: number;
  known: number;
  /** The highest seq of an item on this connection, and of an item or gap. */
  top: number;
  told: number;
  /** Seqs of items without a position. The gateway must assume that they are lost with the connection. */
  got: readonly number[];
};
export type State = {
  conversation: Conversation;
  user: UserSlot;
  /** How far the fanout is. */
  appended: number;
  published: number;
  subscribed: boolean;
  /** Whether another member on the same gateway keeps the subscription. */
  companion: boolean;
  /** UNKNOWN until the seq was first read. */
  newest: number;
  place: Place;
  session: Session;
  /** Whether the hint about a change of `larges` is on its way or lost. */
  hinted: boolean;
  /** How often each bounded event has happened. */
  spent: Readonly<Record<'flips' | 'others' | 'lost' | 'repeated' | 'connects' | 'elsewhere', number>>;
  wrong: string | null;
};

/** The newest seq of a conversation that the gateway has no news of. */
export const UNKNOWN = -1;
export const off: Place = { step: 'off', read: nothingRead, since: 0, spans: [], version: 0, buffer: [] };

export const reviewing = ({ step }: Place): boolean => step === 'subscribed' || step === 'half' || step === 'read';

/** Starts a review of U from the beginning; the buffer stays. */
export const review = (state: State): State => ({
  ...state,
  subscribed: true,
  place: { ...off, step: 'subscribed', read: { ...nothingRead, last: state.user.last }, buffer: state.place.buffer },
});

export const detached = (state: State): State => ({
  ...state,
  place: off,
  subscribed: state.companion,
  newest: state.companion ? state.newest : UNKNOWN,
});

export function sendItem(state: State, seq: number, way: string): State {
  const { session, conversation } = state;
  const wrong =
    seq <= session.top
      ? `${way} ${seq} is sent after ${session.top}`
      : covers(conversation.spans, seq)
        ? state.wrong
        : `${way} ${seq} is outside of the spans`;
  return {
    ...state,
    wrong,
    session: { ...session, top: Math.max(session.top, seq), told: Math.max(session.told, seq) },
  };
}

export function sendGap(state: State, from: number, to: number): State {
  const { session, conversation } = state;
  const outside = Array.from({ length: to - from + 1 }, (_, at) => from + at).some(
    (seq) => !covers(conversation.spans, seq),
  );
  const wrong = outside ? `gap ${from}..${to} is outside of the spans` : state.wrong;
  return { ...state, wrong, session: { ...session, told: Math.max(session.told, to) } };
}

/** Sends buffered items as soon as U is attached and its session is live. */
export function flushed(state: State, rules: GatewayRules): State {
  const { place, session } = state;
  if (place.step !== 'attached' || session.sent < session.known || place.buffer.length === 0) return state;
  let after: State = { ...state, place: { ...place, buffer: [] } };
  for (const seq of place.buffer) {
    // Meanwhile the inbox may have covered this seq, or a later one.
    if (seq <= after.session.told && rules.bufferOutlivesInbox !== true) continue;
    after = sendItem(after, seq, 'item without position');
    after = { ...after, session: { ...after.session, got: [...after.session.got, seq] } };
  }
  return after;
}

/** Handles a published entry for U, who is attached. */
function give(state: State, seq: number, rules: GatewayRules): State {
  const { place, conversation } = state;
  if (seq <= place.since) return state;
  const [, , kind, version] = conversation.log[seq - 1]!;
  const explained = version <= place.version || (kind !== 'message' && version === place.version + 1);
  const known: Place =
    explained || rules.noVersionCheck === true
      ? { ...place, version: Math.max(place.version, version) }
      : { ...place, version: versionOf(conversation), spans: conversation.spans };
  if (kind === 'leaves') return detached(state);
  if (kind === 'joins' || !covers(known.spans, seq)) return { ...state, place: known };
  return flushed({ ...state, place: { ...known, buffer: [...known.buffer, seq] } }, rules);
}

export function arrive(state: State, seq: number, rules: GatewayRules): State {
  const { newest, place } = state;
  if (newest !== UNKNOWN && seq <= newest) return state;
  const lost = newest !== UNKNOWN && seq > newest + 1 && rules.noNewestCheck !== true;
  const heard: State = newest === UNKNOWN ? state : { ...state, newest: seq };
  if (place.step === 'off') return heard;
  if (place.step === 'attached') {
    if (!lost) return give(heard, seq, rules);
    const again = review(heard);
    return {
      ...again,
      place: { ...again.place, buffer: rules.nothingBuffered === true ? [] : [...place.buffer, seq] },
    };
  }
  const kept =
    rules.nothingBuffered === true ? heard : { ...heard, place: { ...place, buffer: [...place.buffer, seq] } };
  return lost && rules.reviewOutlivesLoss !== true ? review(kept) : kept;
}

/** The catch-up script, and what the gateway does with its reply. */
export function ended(state: State, rules: GatewayRules): State {
  const { place, user, session } = state;
  const { read } = place;
  const reach = reachOf(read, false);
  const after: State = { ...state, user: catchUp(user, read.large, reach, false) };
  const { listed, last, inbox } = after.user;
  const told: State = rules.headNotLearnt === true ? after : { ...after, session: { ...session, known: inbox.length } };
  if (!listed || read.large === SMALL) return detached(told);
  // Otherwise the fanout still has, or meanwhile had, an entry for U. U is not attached, so the next renewal starts
  // another review.
  if (rules.attachedWhenIncomplete !== true && last !== read.seq) return detached(told);
  const attached: State = {
    ...told,
    place: { step: 'attached', read: nothingRead, since: reach, spans: read.spans, version: read.version, buffer: [] },
  };
  return flushed(
    place.buffer.reduce((one, seq) => (one.place.step === 'attached' ? give(one, seq, rules) : one), attached),
    rules,
  );
}
