import type { Model } from './explore.ts';

/**
 * The short way of direct messages (docs/design/short-way.md), while Redis stays as it is. One conversation of two
 * users, whose messages are accepted by gateways that know the short way and by older ones. A message that goes the
 * short way is in its stream and in both inboxes in one step, and its entry is marked. All others are appended by the
 * fanout. Two fanouts work on the same entries at once and may die; one may be of an older version, which does not know
 * the mark. Amendments have seqs like messages and always go the long way. The step that accepts may move the fanouts'
 * group past its entry, so that no fanout is given it.
 *
 * Promise: an inbox holds every seq once and in order, positions rise, no entry is settled that an inbox lacks, the
 * inbox stays bounded, and the user who was away is notified.
 */
export type ShortRules = {
  /** Only right behind the seq before it, in both inboxes. */
  behindTheLast: boolean;
  /** Into both inboxes, or into none. */
  both: boolean;
  /** The entry, the mark and both appends are one step. */
  oneStep: boolean;
  /** A user whose keys are of an earlier line of its slot is left to the fanout, which begins above it. */
  sameLine: boolean;
  /** An inbox that would have to be cut is left to the fanout. */
  room: boolean;
  /** Who appends also puts the user among those who wait. */
  waits: boolean;
  /** A fanout that does append a marked entry compares first. */
  compares: boolean;
  /** The fanout passes over marked entries alone. */
  mark: boolean;
  /** The group is moved only if it has been given everything before, and only past a marked entry. */
  atEnd: boolean;
  markedOnly: boolean;
};
export const all: ShortRules = {
  behindTheLast: true,
  both: true,
  oneStep: true,
  sameLine: true,
  room: true,
  waits: true,
  compares: true,
  mark: true,
  atEnd: true,
  markedOnly: true,
};

export type ShortScenario = {
  /** `m` a message, `a` an amendment, in the order of their seqs. */
  sends: string;
  /** Whether the second user's keys are of an earlier line, and how many entries an inbox may hold. */
  otherLine: boolean;
  most: number;
  deaths: number;
  /** The first fanout does not know the mark. */
  isOlder: boolean;
};

const users = [0, 1] as const;
/** Positions of a new line begin this far above. */
const jump = 10;

type Entry = { seq: number; kind: string; marked: boolean };
type Inbox = {
  /** What it held, in order, and how many of these it holds. */
  seqs: number[];
  positions: number[];
  held: number;
  isOldLine: boolean;
  waits: boolean;
  told: number;
};
/** `from`: the first entry of the batch in hand; `done`: for which users its call has returned. */
type Fanout = { from: number; to: number; done: number } | null;
type State = {
  sends: string;
  entries: Entry[];
  /** Entries are read in order, and settled in any. The group was moved past `skipped`: nobody is given them. */
  read: number;
  settled: number[];
  skipped: number[];
  inboxes: Inbox[];
  /** Rule `oneStep` left out: appends that are still to come. */
  open: number[];
  fanouts: Fanout[];
  deaths: number;
};
type Step = [label: string, state: State];

const lastOf = ({ seqs }: Inbox): number => seqs.at(-1) ?? 0;

function appended(inbox: Inbox, entry: Entry, most: number, rules: ShortRules, by: 'script' | 'fanout'): Inbox {
  const enters = inbox.isOldLine && by === 'fanout';
  const head = (inbox.positions.at(-1) ?? 0) + (enters ? jump : 0);
  const cuts = by === 'fanout' && inbox.held >= most;
  const notes = entry.kind === 'm' && (by === 'fanout' || rules.waits);
  return {
    ...inbox,
    seqs: [...inbox.seqs, entry.seq],
    positions: [...inbox.positions, head + 1],
    held: cuts ? most : inbox.held + 1,
    isOldLine: inbox.isOldLine && !enters,
    waits: inbox.waits || notes,
  };
}

/** Whether the script may append to this inbox. */
function takes(inbox: Inbox, seq: number, most: number, rules: ShortRules): boolean {
  if (rules.behindTheLast && lastOf(inbox) !== seq - 1) return false;
  if (rules.sameLine && inbox.isOldLine) return false;
  return !rules.room || inbox.held < most;
}

/** The group is moved past the newest entry, where that may be. */
function moved([label, state]: Step, rules: ShortRules): Step[] {
  const { entries, read, settled, skipped } = state;
  const { seq, marked } = entries.at(-1)!;
  if ((rules.atEnd && read !== seq - 1) || (rules.markedOnly && !marked)) return [];
  const passed = entries.slice(read, seq - 1).map((entry) => entry.seq);
  return [
    [
      `${label}, and the group is moved past it`,
      { ...state, read: seq, settled: [...settled, seq].sort(), skipped: [...skipped, ...passed] },
    ],
  ];
}

function accepting(state: State, { most }: ShortScenario, rules: ShortRules): Step[] {
  const kind = state.sends[0];
  if (kind === undefined) return [];
  const seq = state.entries.length + 1;
  const sent = { ...state, sends: state.sends.slice(1) };
  const long: Step = [
    `${kind}${seq} is accepted`,
    { ...sent, entries: [...state.entries, { seq, kind, marked: false }] },
  ];
  const longs = [long, ...moved(long, rules)];
  if (kind === 'a') return longs;
  const able = users.filter((user) => takes(state.inboxes[user]!, seq, most, rules));
  if (able.length < (rules.both ? 2 : 1)) return longs;
  const entry = { seq, kind, marked: true };
  const entries = [...state.entries, entry];
  if (!rules.oneStep)
    return [...longs, [`m${seq} is accepted and marked`, { ...sent, entries, open: [...state.open, seq] }]];
  const inboxes = state.inboxes.map((inbox, user) =>
    able.some((one) => one === user) ? appended(inbox, entry, most, rules, 'script') : inbox,
  );
  const short: Step = [`m${seq} is accepted the short way`, { ...sent, entries, inboxes }];
  return [...longs, short, ...moved(short, rules)];
}

/** Rule `oneStep` left out: the gateway appends later, or dies before. */
function appendingLater(state: State, { most }: ShortScenario, rules: ShortRules): Step[] {
  const [seq, ...open] = state.open;
  if (seq === undefined) return [];
  const entry = state.entries[seq - 1]!;
  const inboxes = state.inboxes.map((inbox) =>
    lastOf(inbox) >= seq ? inbox : appended(inbox, entry, most, rules, 'script'),
  );
  return [
    [`m${seq} is appended`, { ...state, open, inboxes }],
    [`the gateway dies before it appends m${seq}`, { ...state, open }],
  ];
}

const isDone = ({ settled, skipped }: State, seq: number): boolean => settled.includes(seq) || skipped.includes(seq);

/** What a fanout does with its batch for one user. Null: something earlier is missing. */
function fannedOut(state: State, i: number, user: number, scenario: ShortScenario, rules: ShortRules): Inbox | null {
  const { from, to } = state.fanouts[i]!;
  let inbox = state.inboxes[user]!;
  for (const entry of state.entries.slice(from - 1, to)) {
    const knowsMark = !(scenario.isOlder && i === 0);
    if (knowsMark && (entry.marked || !rules.mark) && entry.kind === 'm') continue;
    const last = lastOf(inbox);
    if (rules.compares || !entry.marked) {
      if (last >= entry.seq) continue;
      if (last < entry.seq - 1) return null;
    }
    inbox = appended(inbox, entry, scenario.most, rules, 'fanout');
  }
  return inbox;
}

function fanningOut(state: State, scenario: ShortScenario, rules: ShortRules): Step[] {
  const steps: Step[] = [];
  state.fanouts.forEach((fanout, i) => {
    const set = (next: Fanout, rest: Partial<State> = {}): State => ({
      ...state,
      ...rest,
      fanouts: state.fanouts.with(i, next),
    });
    const name = `fanout ${i + 1}`;
    if (fanout === null) {
      const oldest = state.entries.find(({ seq }) => seq <= state.read && !isDone(state, seq));
      const from = oldest?.seq ?? state.read + 1;
      // Pending entries are read again from the oldest on; new ones only where nothing is pending.
      const ends = oldest === undefined ? state.entries.length : state.read;
      for (let to = from; to <= ends; to++)
        steps.push([`${name} reads ${from} to ${to}`, set({ from, to, done: 0 }, { read: Math.max(state.read, to) })]);
      return;
    }
    const { from, to, done } = fanout;
    if (done < users.length) {
      const inbox = fannedOut(state, i, done, scenario, rules);
      if (inbox === null) steps.push([`${name} meets a hole`, set(null)]);
      else {
        const inboxes = state.inboxes.with(done, inbox);
        steps.push([
          `${name} appends ${from} to ${to} for user ${done}`,
          set({ from, to, done: done + 1 }, { inboxes }),
        ]);
      }
    } else {
      const settled = [...new Set([...state.settled, ...state.entries.slice(from - 1, to).map(({ seq }) => seq)])];
      steps.push([`${name} settles ${from} to ${to}`, set(null, { settled: settled.sort() })]);
    }
    if (state.deaths > 0) steps.push([`${name} dies`, set(null, { deaths: state.deaths - 1 })]);
  });
  return steps;
}

/** The second user is away, and is told of everything up to the newest. */
function notifying(state: State): Step[] {
  const inbox = state.inboxes[1]!;
  if (!inbox.waits) return [];
  const told = { ...inbox, waits: false, told: lastOf(inbox) };
  return [['the second user is notified', { ...state, inboxes: state.inboxes.with(1, told) }]];
}

function violated({ entries, settled, inboxes, open }: State, { most, otherLine }: ShortScenario): string | null {
  for (const { seqs, held } of inboxes) {
    if (seqs.some((seq, i) => i > 0 && seq <= seqs[i - 1]!)) return `an inbox holds ${seqs.join()}`;
    const late = entries.find(({ seq }) => settled.includes(seq) && !open.includes(seq) && !seqs.includes(seq));
    if (late !== undefined) return 'a message is settled and in no inbox';
    if (held > most) return 'an inbox holds too much';
  }
  const isAgain = otherLine && inboxes[1]!.positions.some((position) => position <= jump);
  return isAgain ? 'a position may have been given before' : null;
}

export function shortWay(scenario: ShortScenario, rules: ShortRules): Model<State> {
  const inbox: Inbox = { seqs: [], positions: [], held: 0, isOldLine: false, waits: false, told: 0 };
  return {
    initial: [
      {
        sends: scenario.sends,
        entries: [],
        read: 0,
        settled: [],
        skipped: [],
        inboxes: [inbox, { ...inbox, isOldLine: scenario.otherLine }],
        open: [],
        fanouts: [null, null],
        deaths: scenario.deaths,
      },
    ],
    key: (state) => JSON.stringify(state),
    next: (state) => [
      ...accepting(state, scenario, rules),
      ...appendingLater(state, scenario, rules),
      ...fanningOut(state, scenario, rules),
      ...notifying(state),
    ],
    violated: (state) => violated(state, scenario),
    resting({ sends, entries, settled, inboxes }) {
      const newest = entries.findLast(({ kind }) => kind === 'm')?.seq ?? 0;
      return sends === '' && settled.length === entries.length && inboxes[1]!.told >= newest;
    },
  };
}
