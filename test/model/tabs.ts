import type { Model } from './explore.ts';

/**
 * The tabs of one browser, of which one leads: it has the lock, the socket, and the right to write what comes. A tab
 * may be stopped or die at any moment, between any two steps; what it had given to the storage lands all the same,
 * sooner or later. Rows are read, changed and written as a whole, so a writer that was replaced would undo what came
 * since.
 *
 * At rest nobody waits for anything: what a tab wanted was done, however many tabs were stopped or died.
 */
export type Rules = {
  /** The storage refuses the write of an older term. */
  fences: boolean;
  /** Two tabs that raise the term at the same moment raise it to different ones. */
  distinctTerms: boolean;
  /** A new leader raises the term before it reads the rows. */
  raisesFirst: boolean;
  /** A new leader reads from the storage what is to be sent. */
  readsOutbox: boolean;
  /** A tab stores what it sends before it tells the leader. */
  storesSends: boolean;
  /** A tab asks the next leader what the last one did not answer. */
  repeats: boolean;
  /** A tab that wants something takes the lock of a leader that does not answer. */
  steals: boolean;
  /** A leader that lost its lock, its socket or its term waits for the lock again. */
  waitsAgain: boolean;
  /** A leader that hears of a newer one, which may have been robbed since, gives up. */
  heedsNewer: boolean;
  /** A leader whose socket was replaced gives up too: a robbed one may have connected before it was told. */
  outlivesReplacement: boolean;
};
export const all: Rules = {
  fences: true,
  distinctTerms: true,
  raisesFirst: true,
  readsOutbox: true,
  storesSends: true,
  repeats: true,
  steals: true,
  waitsAgain: true,
  heedsNewer: true,
  outlivesReplacement: true,
};

type Tab = {
  /** From `granted` on it has the lock, or had it and was not told yet that it was robbed. */
  is: 'waiting' | 'granted' | 'raising' | 'reading' | 'leading' | 'out' | 'closed' | 'dead';
  stopped: boolean;
  robbed: boolean;
  replaced: boolean;
  /** The storage's term as it was read, then its own. */
  term: number;
  /** The messages of the row, as bits, as this tab knows it. */
  row: number;
  /** A row that was given to the storage and has not landed, with the term of then. */
  hand: { row: number; term: number } | null;
  /** It has heard of the message to send. */
  knows: boolean;
};

export type State = {
  tabs: Tab[];
  /** Who has the lock; -1: nobody. */
  lock: number;
  storage: { term: number; row: number; entry: boolean };
  server: { socket: number; received: number };
  /** A message that the user sends. `by`: the tab, which knows it until it dies. */
  send: { is: 'none' | 'wanted' | 'accepted'; by: number };
  /** A question that a tab has. `of`: the tab that was asked; -1: nobody yet. */
  ask: { is: 'none' | 'wanted' | 'answered'; by: number; of: number };
  faults: number;
};

export type Bounds = { tabs: number; faults: number; messages: number };

function changed(state: State, change: (copy: State) => void): State {
  const copy: State = {
    ...state,
    tabs: state.tabs.map((one) => ({ ...one })),
    storage: { ...state.storage },
    server: { ...state.server },
    send: { ...state.send },
    ask: { ...state.ask },
  };
  change(copy);
  return copy;
}

const runs = ({ is, stopped }: Tab): boolean => !stopped && is !== 'dead' && is !== 'closed';
const leads = (state: State, at: number): boolean =>
  state.tabs[at]!.is === 'leading' && !state.tabs[at]!.stopped && state.server.socket === at;
/** The tab that others take for the leader: that of the newest term. */
const leaderOf = ({ tabs }: State): number =>
  tabs.reduce((best, { is, term }, at) => (is === 'leading' && term > (tabs[best]?.term ?? -1) ? at : best), -1);

/** Gives up what it has, and waits for the lock again. */
function yields(s: State, at: number, rules: Rules): void {
  const tab = s.tabs[at]!;
  if (s.lock === at) s.lock = -1;
  if (s.server.socket === at) s.server.socket = -1;
  Object.assign(tab, { is: rules.waitsAgain ? 'waiting' : 'out', robbed: false, replaced: false, knows: false });
}

type Step = (label: string, change: (s: State) => void) => void;

/** What the machine and the user do. */
function events(state: State, bounds: Bounds, rules: Rules, step: Step): void {
  state.tabs.forEach((tab, at) => {
    if (tab.is === 'dead') return;
    if (state.faults < bounds.faults) {
      step(`tab ${at} ${tab.stopped ? 'goes on' : 'is stopped'}`, (s) => {
        s.faults++;
        s.tabs[at]!.stopped = !tab.stopped;
      });
      step(`tab ${at} dies`, (s) => {
        s.faults++;
        yields(s, at, rules);
        Object.assign(s.tabs[at]!, { is: 'dead', stopped: false });
        if (s.ask.by === at && s.ask.is === 'wanted') s.ask.is = 'answered';
      });
    }
    if (!runs(tab)) return;
    if (state.send.is === 'none')
      step(`tab ${at} sends`, (s) => {
        s.send = { is: 'wanted', by: at };
        if (rules.storesSends) s.storage.entry = true;
        const leader = leaderOf(s);
        if (leader >= 0) s.tabs[leader]!.knows = true;
      });
    if (state.ask.is === 'none') step(`tab ${at} asks`, (s) => (s.ask = { is: 'wanted', by: at, of: leaderOf(s) }));
  });
}

/** The way to the lock and to the socket. */
function election(state: State, rules: Rules, at: number, step: Step): void {
  const tab = state.tabs[at]!;
  if (tab.is === 'waiting' && state.lock < 0)
    step(`tab ${at} gets the lock`, (s) => {
      s.lock = at;
      s.tabs[at]!.is = 'granted';
    });
  if (!runs(tab)) return;
  const wants =
    (state.ask.is === 'wanted' && state.ask.by === at) || (state.send.is === 'wanted' && state.storage.entry);
  const holder = state.tabs[state.lock];
  if (rules.steals && tab.is === 'waiting' && wants && holder?.stopped === true)
    step(`tab ${at} robs tab ${state.lock}`, (s) => {
      s.tabs[s.lock]!.robbed = true;
      s.lock = at;
      s.tabs[at]!.is = 'granted';
    });
  if (tab.is === 'granted')
    step(`tab ${at} reads the term`, (s) => {
      Object.assign(s.tabs[at]!, { is: 'raising', term: s.storage.term, row: s.storage.row });
    });
  if (tab.is === 'raising')
    step(`tab ${at} raises the term`, (s) => {
      const term = (Math.floor(tab.term / 10) + 1) * 10 + (rules.distinctTerms ? at : 0);
      if (rules.fences && s.storage.term > term) return yields(s, at, rules);
      s.storage.term = Math.max(s.storage.term, term);
      Object.assign(s.tabs[at]!, { is: 'reading', term });
    });
  if (tab.is === 'reading')
    step(`tab ${at} reads the rows and leads`, (s) => {
      const own = s.tabs[at]!;
      own.is = 'leading';
      if (rules.raisesFirst) own.row = s.storage.row;
      own.knows = (s.storage.entry && rules.readsOutbox) || (s.send.by === at && s.send.is === 'wanted');
      const sender = s.tabs[s.send.by];
      if (rules.repeats && s.send.is === 'wanted' && sender !== undefined && runs(sender)) own.knows = true;
      if (s.ask.is === 'wanted' && (rules.repeats || s.ask.of < 0)) s.ask.of = leaderOf(s);
    });
  if (tab.is === 'leading' && state.server.socket !== at && !tab.replaced)
    step(`tab ${at} connects`, (s) => {
      const before = s.tabs[s.server.socket];
      if (before !== undefined) before.replaced = true;
      s.server.socket = at;
    });
  if (tab.robbed) step(`tab ${at} is told that it was robbed`, (s) => yields(s, at, rules));
  if (tab.is === 'leading' && state.storage.term > tab.term && rules.heedsNewer)
    step(`tab ${at} hears of a newer leader`, (s) => yields(s, at, rules));
  if (tab.replaced)
    step(`tab ${at} is told that its socket was replaced`, (s) => {
      if (rules.outlivesReplacement) yields(s, at, rules);
      else s.tabs[at]!.is = 'closed';
    });
}

/** What a leader does. */
function work(state: State, bounds: Bounds, rules: Rules, at: number, step: Step): void {
  const { tabs, server } = state;
  const tab = tabs[at]!;
  if (tab.hand !== null)
    step(`a write of tab ${at} lands`, (s) => {
      const own = s.tabs[at]!;
      own.hand = null;
      if (rules.fences && s.storage.term > tab.hand!.term) {
        if (runs(own) && own.is === 'leading') yields(s, at, rules);
        return;
      }
      s.storage.row = tab.hand!.row;
      own.row = tab.hand!.row;
      if (leads(s, at)) s.server.received |= own.row;
    });
  if (!leads(state, at)) return;
  for (let bit = 1; bit < 1 << bounds.messages; bit <<= 1) {
    if ((server.received & bit) !== 0 || tab.hand !== null) continue;
    step(`message ${bit} comes to tab ${at}`, (s) => {
      if ((tab.row & bit) === 0) s.tabs[at]!.hand = { row: tab.row | bit, term: tab.term };
      else s.server.received |= bit;
    });
  }
  if (tab.knows && state.send.is === 'wanted')
    step(`tab ${at} has the message accepted`, (s) => {
      s.send.is = 'accepted';
      s.storage.entry = false;
    });
  if (state.ask.is === 'wanted' && state.ask.of === at)
    step(`tab ${at} answers the question`, (s) => void (s.ask.is = 'answered'));
}

export function browserTabs(rules: Rules, bounds: Bounds): Model<State> {
  const blank: Tab = {
    is: 'waiting',
    stopped: false,
    robbed: false,
    replaced: false,
    term: 0,
    row: 0,
    hand: null,
    knows: false,
  };
  return {
    initial: [
      {
        tabs: Array.from({ length: bounds.tabs }, () => blank),
        lock: -1,
        storage: { term: 0, row: 0, entry: false },
        server: { socket: -1, received: 0 },
        send: { is: 'none', by: -1 },
        ask: { is: 'none', by: -1, of: -1 },
        faults: 0,
      },
    ],
    key: (state) => JSON.stringify(state),
    next(state) {
      const steps: [string, State][] = [];
      const step: Step = (label, change) => void steps.push([label, changed(state, change)]);
      events(state, bounds, rules, step);
      state.tabs.forEach((_, at) => {
        election(state, rules, at, step);
        work(state, bounds, rules, at, step);
      });
      return steps;
    },
    violated({ tabs: every, storage, server }) {
      if ((server.received & ~storage.row) !== 0) return 'a received message is no longer in the storage';
      if (every.some(({ is }) => is === 'closed')) return 'a tab is closed that its own browser has replaced';
      return null;
    },
    resting({ tabs: every, send, ask }) {
      if (!every.some(runs)) return true;
      const asker = every[ask.by];
      const isCalm = every.every((tab) => tab.hand === null && !(runs(tab) && (tab.robbed || tab.replaced)));
      return isCalm && send.is !== 'wanted' && !(ask.is === 'wanted' && runs(asker!));
    },
  };
}
