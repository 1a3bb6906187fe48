import type { Model } from './explore.ts';

/**
 * Receipts of one conversation: alice writes, bob receives and reads on two devices at two gateways. Notes and hints
 * are in flight for any time; notes may come twice and in any order. Bob may leave and come back, and the conversation
 * may grow beyond the members that have receipts, and shrink.
 *
 * The first message is a gap in the inbox of bob's second device: it gets a position, and the message is not there.
 */
export type ReceiptRules = {
  /** The script replaces the old seq. */
  replaces?: boolean;
  /** What the client says is noted, even above the last seq. */
  unclamped?: boolean;
  /** Notes of who is no member count. */
  anybody?: boolean;
  /** Notes of too large a conversation count. */
  anySize?: boolean;
  /** A settled gap counts as received. */
  countsGaps?: boolean;
  /** What the device's position says counts, whether it was handed to the device or not. */
  byPosition?: boolean;
  /** Alice's gateway hands on every hint. */
  anyHint?: boolean;
  /** Growing deletes what was noted, at some time after it. */
  deletesAtGrowth?: boolean;
};

type Kind = 'received' | 'read';
type Seqs = { received: number; read: number };
type Device = { handed: number; confirmed: number; hasRead: number };
type State = {
  last: number;
  devices: [Device, Device];
  member: boolean;
  small: boolean;
  /** Changes of members and of the size that are left. */
  changes: number;
  repeats: number;
  kept: Seqs;
  /** What bob has really received and read. */
  truth: Seqs;
  notes: string[];
  hints: string[];
  told: Seqs;
  deletion: boolean;
  wrong: string | null;
};

const messages = 2;
const at = (kind: Kind, seq: number): string => `${kind} ${seq}`;
const split = (text: string): [Kind, number] => [text.split(' ')[0] as Kind, Number(text.split(' ')[1])];
const isGap = (device: number, seq: number): boolean => device === 1 && seq === 1;
const without = (list: readonly string[], i: number): string[] => list.filter((_, j) => j !== i);
const withOne = (list: readonly string[], one: string): string[] => [...list, one].sort();

export function receipts(rules: ReceiptRules = {}): Model<State> {
  const device = (): Device => ({ handed: 0, confirmed: 0, hasRead: 0 });
  const start: State = {
    last: 0,
    devices: [device(), device()],
    member: true,
    small: true,
    changes: 2,
    repeats: 1,
    kept: { received: 0, read: 0 },
    truth: { received: 0, read: 0 },
    notes: [],
    hints: [],
    told: { received: 0, read: 0 },
    deletion: false,
    wrong: null,
  };

  /** The script: what is kept, who is told. */
  function note(state: State, text: string): State {
    const [kind, seq] = split(text);
    if (!state.member && rules.anybody !== true) return state;
    if (!state.small && rules.anySize !== true) return state;
    const kept = { ...state.kept };
    const old = kept[kind];
    kept[kind] = rules.replaces === true ? seq : Math.max(old, seq);
    if (kind === 'read') kept.received = Math.max(kept.received, kept.read);
    if (kept[kind] === old) return { ...state, kept };
    const wrong = state.member ? (state.small ? null : 'told in too large a conversation') : 'told of who has left';
    return { ...state, kept, hints: withOne(state.hints, at(kind, kept[kind])), wrong: state.wrong ?? wrong };
  }

  function hear(state: State, text: string): State {
    const [kind, seq] = split(text);
    if (seq <= state.told[kind] && rules.anyHint !== true) return state;
    const wrong =
      seq < state.told[kind] ? 'told a lower seq' : seq > state.truth[kind] ? `told ${kind} of what is not` : null;
    return { ...state, told: { ...state.told, [kind]: seq }, wrong: state.wrong ?? wrong };
  }

  function ofDevice(state: State, d: 0 | 1): [string, State][] {
    const one = state.devices[d];
    const change = (now: Partial<Device>, more: Partial<State> = {}): State => {
      const devices: [Device, Device] = [...state.devices];
      devices[d] = { ...one, ...now };
      return { ...state, devices, ...more };
    };
    const steps: [string, State][] = [];
    if (one.handed < state.last) steps.push([`hand ${d}`, change({ handed: one.handed + 1 })]);
    if (one.confirmed < one.handed) {
      // What the session has handed over and is confirmed now: items, no gaps.
      const items = Array.from({ length: one.handed - one.confirmed }, (_, i) => one.confirmed + 1 + i).filter(
        (seq) => rules.countsGaps === true || !isGap(d, seq),
      );
      const seq = rules.byPosition === true ? state.last : (items.at(-1) ?? 0);
      const real = items.filter((seq_) => !isGap(d, seq_)).at(-1) ?? 0;
      const truth = { ...state.truth, received: Math.max(state.truth.received, real) };
      const notes = seq === 0 ? state.notes : withOne(state.notes, at('received', seq));
      steps.push([`confirm ${d}`, change({ confirmed: one.handed }, { truth, notes })]);
    }
    if (one.hasRead < one.confirmed && state.member) {
      // The client of the second device names a seq that is not there yet, after it has read everything in history.
      const real = d === 1 ? state.last : one.confirmed;
      const asked = d === 1 && rules.unclamped === true ? messages + 1 : real;
      const truth = { received: Math.max(state.truth.received, real), read: Math.max(state.truth.read, real) };
      const notes = withOne(state.notes, at('read', asked));
      steps.push([`read ${d}`, change({ hasRead: one.confirmed }, { truth, notes })]);
    }
    return steps;
  }

  function next(state: State): [string, State][] {
    const steps = [...ofDevice(state, 0), ...ofDevice(state, 1)];
    if (state.last < messages) steps.push(['accept', { ...state, last: state.last + 1 }]);
    state.notes.forEach((text, i) => {
      steps.push([`note ${text}`, note({ ...state, notes: without(state.notes, i) }, text)]);
      if (state.repeats > 0) steps.push([`note twice ${text}`, note({ ...state, repeats: state.repeats - 1 }, text)]);
    });
    state.hints.forEach((text, i) => {
      steps.push([`hear ${text}`, hear({ ...state, hints: without(state.hints, i) }, text)]);
    });
    if (state.changes > 0) {
      const left = { ...state, changes: state.changes - 1 };
      steps.push(state.member ? ['leave', { ...left, member: false }] : ['join', { ...left, member: true }]);
      const deletion = state.small && rules.deletesAtGrowth === true;
      steps.push(['resize', { ...left, small: !state.small, deletion: state.deletion || deletion }]);
    }
    if (state.deletion) steps.push(['delete', { ...state, deletion: false, kept: { received: 0, read: 0 } }]);
    return steps;
  }

  return {
    initial: [start],
    key: (state) => JSON.stringify(state),
    next,
    violated(state) {
      if (state.wrong !== null) return state.wrong;
      for (const kind of ['received', 'read'] as const) {
        if (state.kept[kind] > state.truth[kind]) return `${kind} is shown of what is not`;
        if (state.kept[kind] < state.told[kind]) return `${kind} is shown below what was told`;
      }
      return null;
    },
    resting: (state) =>
      state.notes.length === 0 &&
      state.hints.length === 0 &&
      state.last === messages &&
      state.told.read <= state.kept.read,
  };
}
