import type { Entry } from './gate-log.ts';

/** What can be left out of the gate (docs/design/epoch-and-loss.md). */
export type Rules = {
  /** A script runs only in the run of Redis that its slot was opened for. */
  run: boolean;
  /** A slot is opened without loss only when every enlisted process has said what it saw. */
  report: boolean;
  /** An enlisted process that died counts as a loss. */
  missing: boolean;
  /** Processes enlist in history. Without it: in Redis. */
  durable: boolean;
  /** A process reports only after its connections to former runs are closed. */
  close: boolean;
  /** A process that leaves puts a mark into the slot, and history knows of it. */
  mark: boolean;
  /** A mark is written only while the slot is open for the run of the process' connection. */
  markBehindGate: boolean;
  /** The new epoch is in history before it is in Redis. */
  first: boolean;
  /** Seqs jump further with every loss. Without it: by the same distance. */
  gen: boolean;
  /** Openings have numbers in history, and a report counts only for its own. */
  number: boolean;
  /** A process uses no slot that was opened under a lower number than it knows of. */
  least: boolean;
  /** A process writes its row before it reads the number. */
  rowFirst: boolean;
  /** An opener writes the number before it reads the rows. */
  numberFirst: boolean;
  /** An opener reads the marks after the rows. */
  marksLast: boolean;
  /** A process that was dismissed while it was paused answers and publishes nothing. */
  lapse: boolean;
};
export const all: Rules = {
  run: true,
  report: true,
  missing: true,
  durable: true,
  close: true,
  mark: true,
  markBehindGate: true,
  first: true,
  gen: true,
  number: true,
  least: true,
  rowFirst: true,
  numberFirst: true,
  marksLast: true,
  lapse: true,
};

/** What may happen, and how often. */
export type Bounds = {
  sends: number;
  crashes: number;
  kills: number;
  /** Deaths of a process that is opening the slot. */
  openers: number;
  leaves: number;
  starts: number;
  sweeps: number;
};

/** Who there is, and what kinds of faults. */
export type Scenario = Partial<Bounds> & {
  gateways?: 1 | 2;
  fanout?: boolean;
  archive?: boolean;
  /** The node that died still answers on connections that it had. */
  oldMaster?: boolean;
  /** The node may die together with every process. */
  power?: boolean;
};

/**
 *   off ──▶ enlisting ──▶ up ──▶ leaving ──▶ left
 *                         │ ▲
 *                         ▼ │
 *                        lapsed      (dismissed while it was paused)
 *
 * All but `off` and `left` may become `dead`, and `off` and `dead` may start.
 */
export type At = 'off' | 'enlisting' | 'up' | 'lapsed' | 'leaving' | 'left' | 'dead';
export type Process = {
  name: string;
  at: At;
  /** Whether its row stands. */
  row: boolean;
  /** The run that it is connected to, and a former one whose connection it has not closed (0: none). */
  run: number;
  old: number;
  /** The highest opening that it knows of. */
  least: number;
  /** The last seq that it has seen. */
  seen: number;
  /** Its newest report: for which opening, and what it had seen (0, 0: none). */
  reported: number;
  reportedSeen: number;
  /** The mark that it wrote when it left. */
  mark: number;
  /** A gateway's send that is under way: on a connection to which run ('': none). */
  sending: string;
  sendingRun: number;
};

export type Opening =
  | 'none'
  /** Its number is in history. */
  | 'begun'
  /** The rows were read. */
  | 'read'
  /** The verdict is known. A loss has its epoch in history. */
  | 'whole'
  | 'loss'
  /** Without the rule `first`: Redis has the epoch and history has not. */
  | 'untold';

export type State = {
  run: number;
  log: string;
  /** The old master: its run and log. */
  oldRun: number;
  oldLog: string;
  processes: readonly Process[];
  /** Rows of dead processes that were started again since. */
  orphans: number;
  opening: Opening;
  /** The processes whose rows the opener has read, and how many orphans. */
  members: readonly string[];
  memberOrphans: number;
  /** The mark as it was before the rows were read, without the rule `marksLast`. */
  earlyMark: number;
  /** In history: the number of the last opening, the epoch, the mark, what is archived. */
  gate: number;
  epoch: number;
  mark: number;
  archived: readonly Entry[];
  /** What senders were answered and in which epoch, what a device got, and the last seq that was handed out. */
  accepted: readonly (Entry & { epoch: number })[];
  device: readonly Entry[];
  handedOut: number;
  /** Something may be missing since the slot was last opened. */
  harmed: boolean;
  fault: string;
  left: Bounds;
};

const process = (name: string, at: At): Process => ({
  name,
  at,
  row: at === 'up',
  run: at === 'up' ? 1 : 0,
  old: 0,
  least: 0,
  seen: 0,
  reported: 0,
  reportedSeen: 0,
  mark: 0,
  sending: '',
  sendingRun: 0,
});

/** All is well, and nothing was sent yet. */
export function beginning({ gateways = 2, fanout = false, starts = 0, ...bounds }: Scenario, rules: Rules): State {
  const processes = [
    process('G1', 'up'),
    ...(gateways === 2 ? [process('G2', starts > 0 ? 'off' : 'up')] : []),
    process('F', fanout ? 'up' : 'left'),
  ];
  const up = processes.filter(({ at }) => at === 'up');
  return {
    run: 1,
    log: rules.durable ? '' : up.map(({ name }) => `R${name}`).join(' '),
    oldRun: 0,
    oldLog: '',
    processes,
    orphans: 0,
    opening: 'none',
    members: [],
    memberOrphans: 0,
    earlyMark: 0,
    gate: 0,
    epoch: 0,
    mark: 0,
    archived: [],
    accepted: [],
    device: [],
    handedOut: 0,
    harmed: false,
    fault: '',
    left: {
      sends: bounds.sends ?? 2,
      crashes: bounds.crashes ?? 1,
      kills: bounds.kills ?? 0,
      openers: bounds.openers ?? 0,
      leaves: bounds.leaves ?? 0,
      sweeps: bounds.sweeps ?? 0,
      starts,
    },
  };
}

/**
 * One text for states that differ only by the names of the gateways. It has every field of a state.
 */
export function keyOf(state: State, rules: Rules): string {
  const texts = state.processes.map((one) => {
    const isMember = state.members.includes(one.name) ? 'm' : '';
    const { old, least, seen, reported, reportedSeen, mark, sending, sendingRun } = one;
    const rest = [old, least, seen, reported, reportedSeen, mark, sending, sendingRun].join('.');
    return `${one.at}${isMember}${one.row ? 'r' : ''}${one.run}.${rest}`;
  });
  // The last one is the fanout. Names stand in the log if processes enlist there.
  if (rules.durable && texts.length === 3 && texts[1]! < texts[0]!) texts.unshift(...texts.splice(1, 1));
  const { left } = state;
  return [
    texts.join(' '),
    state.run,
    state.log,
    state.oldRun,
    state.oldLog,
    state.orphans,
    state.opening,
    state.memberOrphans,
    state.earlyMark,
    state.gate,
    state.epoch,
    state.mark,
    entriesText(state.archived),
    state.accepted.map(({ seq, id, epoch }) => `${seq}${id}${epoch}`).join(),
    entriesText(state.device),
    state.handedOut,
    state.harmed,
    state.fault,
    left.sends,
    left.crashes,
    left.kills,
    left.openers,
    left.leaves,
    left.starts,
    left.sweeps,
  ].join('|');
}

function entriesText(entries: readonly Entry[]): string {
  return entries.map(({ seq, id }) => `${seq}${id}`).join();
}
