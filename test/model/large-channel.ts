import type { Model } from './explore.ts';
import {
  type Entry,
  type Read,
  accept,
  acceptable,
  append,
  catchUp,
  covers,
  created,
  letters,
  reachOf,
  SMALL,
  versionOf,
} from './large-conversation.ts';
import {
  type GatewayRules,
  type Place,
  type State,
  arrive,
  detached,
  ended,
  flushed,
  off,
  review,
  reviewing,
  sendGap,
  sendItem,
  UNKNOWN,
} from './large-gateway.ts';

/**
 * The second model of large groups: a gateway's index of them, with one device of U. A late publish is the same as one
 * made late. A lost push or hint is the same as one never made. So both are steps that need not be taken. There is one
 * fanout, which never repeats an append: the first model shows that this makes no difference to the inbox.
 */
export type ChannelBounds = {
  seqs: number;
  /** Whether another member on the same gateway keeps the subscription. The model begins with each value. */
  companions: readonly boolean[];
  /** The maximum number of each of these events. */
  flips: number;
  others: number;
  lost: number;
  repeated: number;
  connects: number;
  elsewhere: number;
};

/** Counts one more bounded event. */
const spend = (state: State, what: keyof State['spent']): State => ({
  ...state,
  spent: { ...state.spent, [what]: state.spent[what] + 1 },
});

const none: State['spent'] = { flips: 0, others: 0, lost: 0, repeated: 0, connects: 0, elsewhere: 0 };

/** U's inbox needs no append for messages of a large group, and other entries need no publish. Those are not steps. */
function unburdened(state: State): State {
  const { log } = state.conversation;
  let { appended, published } = state;
  const forNobody = ([way, , kind]: Entry): boolean => way === 'large' && (kind === 'message' || kind === 'other');
  while (appended < log.length && forNobody(log[appended]!)) appended += 1;
  while (published < appended && log[published]![0] !== 'large') published += 1;
  return appended === state.appended && published === state.published ? state : { ...state, appended, published };
}

/**
 * The state without what no longer makes a difference, or there would be ten times as many states. Of the inbox it
 * keeps the unsent part, and of the rest only which seqs it covers.
 */
function key(state: State): string {
  const {
    conversation,
    user,
    appended,
    published,
    subscribed,
    companion,
    newest,
    place,
    session,
    hinted,
    spent,
    wrong,
  } = state;
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
    user.last,
    +user.listed,
    session.known - session.sent,
    inbox,
    got & ~inbox,
    session.top,
    session.told,
    appended,
    published,
    +subscribed,
    +companion,
    newest,
    +hinted,
    ...Object.values(spent),
    read.last,
    read.seq,
    read.large,
    read.version,
    read.spans.length,
    read.spans.at(-1)?.[1] ?? 0,
    place.step === 'attached' ? Math.max(place.since, newest) : 0,
    place.version,
    place.spans.length,
    place.spans.at(-1)?.[1] ?? 0,
  )}`;
}

export function largeChannel(bounds: ChannelBounds, rules: GatewayRules = {}): Model<State> {
  const begin = (companion: boolean): State =>
    review({
      conversation: created(0, true),
      user: { last: 0, listed: true, inbox: [] },
      appended: 0,
      published: 0,
      subscribed: true,
      companion,
      newest: companion ? 0 : UNKNOWN,
      place: off,
      session: { sent: 0, known: 0, top: 0, told: 0, got: [] },
      hinted: false,
      spent: none,
      wrong: null,
    });

  /** The steps outside the gateway. */
  const elsewhere = (state: State): [string, State][] => {
    const { conversation, user, appended, published, spent } = state;
    const { log, large } = conversation;
    const steps: [string, State][] = [];
    if (log.length < bounds.seqs) {
      for (const kind of acceptable(conversation)) {
        const other = kind === 'other' ? 1 : 0;
        if (spent.others + other > bounds.others) continue;
        for (const wants of [true, false]) {
          const flip = wants === (large !== SMALL) ? 0 : 1;
          if (spent.flips + flip > bounds.flips) continue;
          const after = accept(conversation, kind, wants, false);
          steps.push([
            `${after.log.length} is accepted: ${after.log.at(-1)![0]}, ${kind}`,
            {
              ...state,
              conversation: after,
              spent: { ...spent, flips: spent.flips + flip, others: spent.others + other },
            },
          ]);
        }
      }
    }
    if (appended < log.length) {
      const entry = log[appended]!;
      const after = append(user, appended + 1, entry, conversation.spans, false);
      steps.push([
        `the fanout handles ${appended + 1} (${entry[0]}, ${entry[2]}): ${after.outcome}`,
        {
          ...state,
          user: after.user,
          appended: appended + 1,
          hinted: state.hinted || after.user.listed !== user.listed,
          wrong: after.outcome === 'hole' ? `a hole before ${appended + 1}` : null,
        },
      ]);
    }
    if (published < appended) {
      const seq = published + 1;
      const done = { ...state, published: seq };
      steps.push([
        `${seq} is published${state.subscribed ? ' and arrives' : ''}`,
        state.subscribed ? arrive(done, seq, rules) : done,
      ]);
      if (state.subscribed && spent.lost < bounds.lost)
        steps.push([`${seq} is published and lost`, spend(done, 'lost')]);
    }
    if (state.subscribed && spent.repeated < bounds.repeated) {
      for (let seq = 1; seq <= published; seq += 1) {
        if (log[seq - 1]![0] === 'large')
          steps.push([`${seq} is published again`, spend(arrive(state, seq, rules), 'repeated')]);
      }
    }
    if (spent.elsewhere < bounds.elsewhere && user.listed) {
      const read: Read = { last: user.last, seq: log.length, large, spans: conversation.spans, version: 0 };
      const after = catchUp(user, large, reachOf(read, false), false);
      if (after !== user)
        steps.push([
          `another device's review catches up to ${after.last}`,
          spend({ ...state, user: after }, 'elsewhere'),
        ]);
    }
    return steps;
  };

  /** The gateway's steps for U's place in its index. */
  const index = (state: State): [string, State][] => {
    const { conversation, user, place, newest } = state;
    const steps: [string, State][] = [];
    const seq = conversation.log.length;
    const read = (step: Place['step'], more: Partial<Read>): State => ({
      ...state,
      place: { ...place, step, read: { ...place.read, ...more } },
    });
    if (place.step === 'subscribed') {
      steps.push([
        `the review reads seq ${seq}`,
        { ...read('half', { seq }), newest: newest === UNKNOWN ? seq : newest },
      ]);
    }
    if (place.step === 'half') {
      const { large, spans } = conversation;
      steps.push(['the review reads the rest', read('read', { large, spans, version: versionOf(conversation) })]);
    }
    if (place.step === 'read') steps.push(['the review catches up', ended(state, rules)]);
    if (place.step === 'off' && user.listed) steps.push(['the renewal tells of C', review(state)]);
    if (place.step === 'attached' && !user.listed) steps.push(['the renewal tells that C is gone', detached(state)]);
    if (state.hinted)
      steps.push(['the hint of larges arrives', { ...(user.listed ? review(state) : detached(state)), hinted: false }]);
    if (newest !== UNKNOWN && newest < seq && rules.noTailCheck !== true) {
      const again =
        place.step === 'attached' || (reviewing(place) && rules.reviewOutlivesLoss !== true) ? review(state) : state;
      steps.push([`the gateway notices that it is behind ${seq}`, { ...again, newest: seq }]);
    }
    if (rules.newestFromAnyReview === true && state.companion && newest < seq) {
      steps.push(["another user's review reads the seq", { ...state, newest: seq }]);
    }
    return steps;
  };

  /** The session's steps. */
  const device = (state: State): [string, State][] => {
    const { user, session, spent } = state;
    const head = user.inbox.length;
    const steps: [string, State][] = [];
    if (session.known < head)
      steps.push([`the session hears of head ${head}`, { ...state, session: { ...session, known: head } }]);
    if (session.sent < session.known) {
      let after: State = { ...state, session: { ...session, sent: session.known } };
      for (const [kind, from, to] of user.inbox.slice(session.sent, session.known)) {
        if (kind === 'item') after = sendItem(after, from, 'item');
        else after = sendGap(after, from, to);
      }
      steps.push([`the session sends positions ${session.sent + 1}..${session.known}`, flushed(after, rules)]);
    }
    if (spent.connects < bounds.connects) {
      for (const kept of state.companion ? [true, false] : [false]) {
        const gone: State = {
          ...spend(state, 'connects'),
          place: off,
          companion: kept,
          subscribed: kept,
          newest: kept ? state.newest : UNKNOWN,
          hinted: false,
          session: { sent: session.sent, known: head, top: 0, told: 0, got: [] },
        };
        steps.push([
          `the device connects to ${kept ? 'the same' : 'another'} gateway`,
          user.listed ? review(gone) : gone,
        ]);
      }
    }
    return steps;
  };

  const resting = ({ conversation, user, appended, published, newest, place, session }: State): boolean =>
    appended === conversation.log.length &&
    published === appended &&
    session.sent === user.inbox.length &&
    place.step === (user.listed ? 'attached' : 'off') &&
    (place.step === 'off' || newest === conversation.log.length || rules.noTailCheck === true);

  const violated = (state: State): string | null => {
    const { conversation, user, session, wrong } = state;
    if (wrong !== null || !resting(state)) return wrong;
    for (const seq of conversation.log.keys().map((at) => at + 1)) {
      const told = session.got.includes(seq) || user.inbox.some(([, from, to]) => from <= seq && seq <= to);
      if (covers(conversation.spans, seq) && !told) return `lost: ${seq}`;
    }
    return null;
  };

  return {
    key,
    initial: bounds.companions.map(begin),
    next: (state) =>
      [...elsewhere(state), ...index(state), ...device(state)].map(
        ([label, after]) => [label, unburdened(after)] as const,
      ),
    violated,
    resting,
  };
}
