import type { Model } from './explore.ts';
import type { Conversation, Read, Span, UserSlot } from './large-conversation.ts';
import { accept, acceptable, append, catchUp, covers, created, reachOf, SMALL, versionOf } from './large-conversation.ts';

/**
 * Model B: a gateway's index of large groups, with one device of U. A publish that arrives late is one that was made late,
 * and a push or a hint that is lost is one that was never told: both are a step that need not be taken.
 */
export type ChannelRules = {
  /** Rules of the protocol, each left out. */
  nothingBuffered?: true;
  noNewestCheck?: true;
  noVersionCheck?: true;
  noTailCheck?: true;
  attachedWhenIncomplete?: true;
  clampInScript?: true;
  newestFromReach?: true;
  sinceIsLast?: true;
  bufferOutlivesInbox?: true;
  reviewOutlivesLoss?: true;
  newestFromAnyReview?: true;
  headNotLearnt?: true;
};

type Place = {
  step: 'off' | 'subscribed' | 'half' | 'read' | 'attached';
  read: Read;
  since: number;
  spans: readonly Span[];
  version: number;
  /** Seqs of items that wait for the review to end, or for the session to be live. */
  buffer: readonly number[];
};
type Session = {
  /** Positions. */
  sent: number;
  known: number;
  /** The highest seq of an item on this connection, and of an item or gap. */
  top: number;
  told: number;
  /** Seqs of items that came without a position: lost with the connection, for all the gateway knows. */
  got: readonly number[];
};
type State = {
  conversation: Conversation;
  user: UserSlot;
  appended: number;
  published: number;
  subscribed: boolean;
  /** Whether another member on the same gateway keeps the subscription. */
  companion: boolean;
  /** UNKNOWN before the seq was read once. */
  newest: number;
  place: Place;
  session: Session;
  hinted: boolean;
  spent: readonly [flips: number, lost: number, repeated: number, connects: number, elsewhere: number, others: number];
  wrong: string | null;
};

export type ChannelBounds = { seqs: number; others: number; flips: number; lost: number; repeated: number; connects: number; elsewhere: number };

const UNKNOWN = -1;
const nothingRead: Read = { last: 0, seq: 0, large: 0, spans: [], version: 0 };
const off: Place = { step: 'off', read: nothingRead, since: 0, spans: [], version: 0, buffer: [] };

const reviewing = ({ step }: Place): boolean => step === 'subscribed' || step === 'half' || step === 'read';
const spend = (state: State, index: number): State['spent'] => state.spent.map((one, at) => (at === index ? one + 1 : one)) as unknown as State['spent'];

/** U is reviewed, from the beginning: what has been buffered stays so. */
const review = (state: State): State => ({
  ...state,
  subscribed: true,
  place: { ...off, step: 'subscribed', read: { ...nothingRead, last: state.user.last }, buffer: state.place.buffer },
});

const detached = (state: State): State => ({
  ...state,
  place: off,
  subscribed: state.companion,
  newest: state.companion ? state.newest : UNKNOWN,
});

const sendItem = (state: State, seq: number, way: string): State => {
  const { session, conversation } = state;
  const wrong = seq <= session.top ? `${way} ${seq} is sent after ${session.top}` : covers(conversation.spans, seq) ? state.wrong : `${way} ${seq} is outside of the spans`;
  return { ...state, wrong, session: { ...session, top: Math.max(session.top, seq), told: Math.max(session.told, seq) } };
};

const sendGap = (state: State, from: number, to: number): State => {
  const { session, conversation } = state;
  const outside = Array.from({ length: to - from + 1 }, (_, at) => from + at).some((seq) => !covers(conversation.spans, seq));
  return { ...state, wrong: outside ? `gap ${from}..${to} is outside of the spans` : state.wrong, session: { ...session, told: Math.max(session.told, to) } };
};

/** The fanout has nothing to append for the messages of a large group, and nothing to publish for the other entries: no steps. */
const unburdened = (state: State): State => {
  const { log } = state.conversation;
  let { appended, published } = state;
  while (appended < log.length && log[appended]![0] === 'large' && (log[appended]![2] === 'message' || log[appended]![2] === 'other')) appended += 1;
  while (published < appended && log[published]![0] !== 'large') published += 1;
  return appended === state.appended && published === state.published ? state : { ...state, appended, published };
};

/** What is buffered goes out as soon as U is attached and its session live. */
const flushed = (state: State, rules: ChannelRules): State => {
  const { place, session } = state;
  if (place.step !== 'attached' || session.sent < session.known || place.buffer.length === 0) return state;
  let after: State = { ...state, place: { ...place, buffer: [] } };
  for (const seq of place.buffer) {
    // Meanwhile the inbox may have told of it, or of something behind it.
    if (seq <= after.session.told && rules.bufferOutlivesInbox !== true) continue;
    after = sendItem(after, seq, 'item without position');
    after = { ...after, session: { ...after.session, got: [...after.session.got, seq] } };
  }
  return after;
};

/** A published entry for U, who is attached. */
const give = (state: State, seq: number, rules: ChannelRules): State => {
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
};

/** A publish arrives at the gateway. */
const arrive = (state: State, seq: number, rules: ChannelRules): State => {
  const { newest, place } = state;
  if (newest !== UNKNOWN && seq <= newest) return state;
  const lost = newest !== UNKNOWN && seq > newest + 1 && rules.noNewestCheck !== true;
  const heard: State = newest === UNKNOWN ? state : { ...state, newest: seq };
  if (place.step === 'off') return heard;
  if (place.step === 'attached') {
    if (!lost) return give(heard, seq, rules);
    const again = review(heard);
    return { ...again, place: { ...again.place, buffer: rules.nothingBuffered === true ? [] : [...place.buffer, seq] } };
  }
  const kept = rules.nothingBuffered === true ? heard : { ...heard, place: { ...place, buffer: [...place.buffer, seq] } };
  return lost && rules.reviewOutlivesLoss !== true ? review(kept) : kept;
};

/** The catch-up script, and what the gateway does with its answer. */
const ended = (state: State, rules: ChannelRules): State => {
  const { place, user, session } = state;
  const { read } = place;
  const reach = reachOf(rules.clampInScript ? { ...read, last: user.last } : read, false);
  const after: State = {
    ...state,
    user: catchUp(user, read.large, reach, false),
    };
  const { listed, last, inbox } = after.user;
  const told: State = rules.headNotLearnt === true ? after : { ...after, session: { ...session, known: inbox.length } };
  if (!listed || read.large === SMALL) return detached(told);
  if (rules.attachedWhenIncomplete !== true && last !== read.seq) return detached(told);
  const attached: State = { ...told, newest: rules.newestFromReach && state.newest === UNKNOWN ? (rules.sinceIsLast ? last : reach) : told.newest, place: { step: 'attached', read: nothingRead, since: rules.sinceIsLast ? last : reach, spans: read.spans, version: read.version, buffer: [] } };
  return flushed(place.buffer.reduce((one, seq) => (one.place.step === 'attached' ? give(one, seq, rules) : one), attached), rules);
};

/** Small numbers as one letter each. */
const letters = (...numbers: number[]): string => String.fromCharCode(...numbers.map((one) => one + 1));

/**
 * Only what still makes a difference, or there would be ten times as many states: of the inbox what is not sent yet, and of
 * the rest which seqs it tells of.
 */
const key = ({ conversation, user, appended, published, subscribed, companion, newest, place, session, hinted, spent, wrong }: State): string => {
  const { read } = place;
  let inbox = 0;
  let unsent = '';
  user.inbox.forEach(([kind, from, to], at) => {
    if (at >= session.sent) unsent += `${kind[0]}${from}${to}`;
    else for (let seq = from; seq <= to; seq += 1) inbox |= 1 << seq;
  });
  let got = 0;
  for (const seq of session.got) got |= 1 << seq;
  return `${conversation.story}|${unsent}|${place.buffer.join('')}|${place.step}|${wrong}|${letters(
    user.last, +user.listed, session.known - session.sent, inbox, got & ~inbox, session.top, session.told,
    appended, published, +subscribed, +companion, newest, +hinted, ...spent,
    read.last, read.seq, read.large, read.version, read.spans.length, read.spans.at(-1)?.[1] ?? 0,
    place.step === 'attached' ? Math.max(place.since, newest) : 0, place.version, place.spans.length, place.spans.at(-1)?.[1] ?? 0,
  )}`;
};

export const largeChannel = (bounds: ChannelBounds, rules: ChannelRules = {}): Model<State> => {
  const begin = (companion: boolean): State => review({
    conversation: created(0, true),
    user: { last: 0, listed: true, inbox: [] },
    appended: 0, published: 0,
    subscribed: true, companion, newest: companion ? 0 : UNKNOWN,
    place: off,
    session: { sent: 0, known: 0, top: 0, told: 0, got: [] },
    hinted: false,
    spent: [0, 0, 0, 0, 0, 0],
    wrong: null,
  });

  /** What happens outside of the gateway. */
  const elsewhere = (state: State): [string, State][] => {
    const { conversation, user, appended, published, spent } = state;
    const { log, large } = conversation;
    const steps: [string, State][] = [];
    if (log.length < bounds.seqs) {
      for (const kind of acceptable(conversation)) {
        if (kind === 'other' && spent[5] >= bounds.others) continue;
        for (const wants of [true, false]) {
          const flips = wants !== (large !== SMALL);
          if (flips && spent[0] >= bounds.flips) continue;
          const after = accept(conversation, kind, wants, false);
          steps.push([`${after.log.length} is accepted: ${after.log.at(-1)![0]}, ${kind}`, { ...state, conversation: after, spent: spent.map((one, at) => one + (at === 0 && flips ? 1 : at === 5 && kind === 'other' ? 1 : 0)) as unknown as State['spent'] }]);
        }
      }
    }
    if (appended < log.length) {
      const entry = log[appended]!;
      const after = append(user, appended + 1, entry, conversation.spans, false);
      steps.push([`the fanout handles ${appended + 1} (${entry[0]}, ${entry[2]}): ${after.outcome}`, {
        ...state, user: after.user, appended: appended + 1, hinted: state.hinted || after.user.listed !== user.listed,
        wrong: after.outcome === 'hole' ? `a hole before ${appended + 1}` : null,
      }]);
    }
    if (published < appended) {
      const seq = published + 1;
      const done = { ...state, published: seq };
      steps.push([`${seq} is published${state.subscribed ? ' and arrives' : ''}`, state.subscribed ? arrive(done, seq, rules) : done]);
      if (state.subscribed && spent[1] < bounds.lost) steps.push([`${seq} is published and lost`, { ...done, spent: spend(state, 1) }]);
    }
    if (state.subscribed && spent[2] < bounds.repeated) {
      for (let seq = 1; seq <= published; seq += 1) {
        if (log[seq - 1]![0] === 'large') steps.push([`${seq} is published again`, { ...arrive(state, seq, rules), spent: spend(state, 2) }]);
      }
    }
    if (spent[4] < bounds.elsewhere && user.listed) {
      const read: Read = { last: user.last, seq: log.length, large, spans: conversation.spans, version: 0 };
      const after = catchUp(user, large, reachOf(read, false), false);
      if (after !== user) steps.push([`another device's review catches up to ${after.last}`, { ...state, user: after, spent: spend(state, 4) }]);
    }
    return steps;
  };

  /** What the gateway does for U's place in its index. */
  const index = (state: State): [string, State][] => {
    const { conversation, user, place, newest } = state;
    const steps: [string, State][] = [];
    const seq = conversation.log.length;
    const read = (step: Place['step'], more: Partial<Read>): State => ({ ...state, place: { ...place, step, read: { ...place.read, ...more } } });
    if (place.step === 'subscribed') steps.push([`the review reads seq ${seq}`, { ...read('half', { seq }), newest: newest === UNKNOWN && !rules.newestFromReach ? seq : newest }]);
    if (place.step === 'half') steps.push(['the review reads the rest', read('read', { large: conversation.large, spans: conversation.spans, version: versionOf(conversation) })]);
    if (place.step === 'read') steps.push(['the review catches up', ended(state, rules)]);
    if (place.step === 'off' && user.listed) steps.push(['the renewal tells of C', review(state)]);
    if (place.step === 'attached' && !user.listed) steps.push(['the renewal tells that C is gone', detached(state)]);
    if (state.hinted) steps.push(['the hint of larges arrives', { ...(user.listed ? review(state) : detached(state)), hinted: false }]);
    if (newest !== UNKNOWN && newest < seq && rules.noTailCheck !== true) {
      const again = place.step === 'attached' || (reviewing(place) && rules.reviewOutlivesLoss !== true) ? review(state) : state;
      steps.push([`the gateway notices that it is behind ${seq}`, { ...again, newest: seq }]);
    }
    if (rules.newestFromAnyReview === true && state.companion && newest < seq) {
      steps.push(["another user's review reads the seq", { ...state, newest: seq }]);
    }
    return steps;
  };

  /** What the session does. */
  const device = (state: State): [string, State][] => {
    const { user, session, spent } = state;
    const head = user.inbox.length;
    const steps: [string, State][] = [];
    if (session.known < head) steps.push([`the session hears of head ${head}`, { ...state, session: { ...session, known: head } }]);
    if (session.sent < session.known) {
      let after: State = { ...state, session: { ...session, sent: session.known } };
      for (const [kind, from, to] of user.inbox.slice(session.sent, session.known)) {
        if (kind === 'item') after = sendItem(after, from, 'item');
        else after = sendGap(after, from, to);
      }
      steps.push([`the session sends positions ${session.sent + 1}..${session.known}`, flushed(after, rules)]);
    }
    if (spent[3] < bounds.connects) {
      for (const kept of state.companion ? [true, false] : [false]) {
        const gone: State = { ...state, place: off, companion: kept, subscribed: kept, newest: kept ? state.newest : UNKNOWN, hinted: false,
          session: { sent: session.sent, known: head, top: 0, told: 0, got: [] }, spent: spend(state, 3) };
        steps.push([`the device connects to ${kept ? 'the same' : 'another'} gateway`, user.listed ? review(gone) : gone]);
      }
    }
    return steps;
  };

  const violated = ({ conversation, user, appended, published, newest, place, session, wrong }: State): string | null => {
    if (wrong !== null) return wrong;
    const { log, spans } = conversation;
    if (appended < log.length || published < log.length) return null;
    if (session.sent < user.inbox.length || place.step !== (user.listed ? 'attached' : 'off')) return null;
    if (place.step === 'attached' && newest < log.length && rules.noTailCheck !== true) return null;
    for (let seq = 1; seq <= log.length; seq += 1) {
      const told = session.got.includes(seq) || user.inbox.some(([, from, to]) => from <= seq && seq <= to);
      if (covers(spans, seq) && !told) return `lost: ${seq}`;
    }
    return null;
  };

  return {
    key,
    initial: [begin(false), begin(true)],
    next: (state) => [...elsewhere(state), ...index(state), ...device(state)].map(([label, after]) => [label, unburdened(after)] as const),
    violated,
  };
};
