import type { Model } from './explore.ts';

/**
 * A batch that an archive has read and not stored yet, across a loss of Redis. One message, x, of one clientId, in one
 * partition. Its client sends it again until it has an answer in the present epoch. The archive may be slow between
 * reading and storing, and so may two loaders of the conversation between reading history and installing. A loss takes
 * x out of the stream, with what the pool knew of it. Or it happens in another slot: then x is still there, and the
 * epoch alone is another one.
 *
 * Promise: x has one seq, and an answer of the present epoch names it. Otherwise x would reach everybody twice, and
 * nobody would be told.
 */
export type Rules = {
  /** History takes a write of the archive only in the epoch in which its entries were read. */
  fence: boolean;
  /** It compares and writes in one step. */
  oneStep: boolean;
  /** A batch belongs to the epoch in which it was read, not to the one that the archive knows when it writes. */
  ofReading: boolean;
  /** The next epoch is in history before Redis is opened in it. */
  first: boolean;
  /** What was refused is read from the stream again. */
  readsAgain: boolean;
  /** The pool is refilled from history before the conversation is installed. */
  refill: boolean;
  /** A conversation is installed only in the epoch in which reading history began. */
  loadOfEpoch: boolean;
};
export const all: Rules = {
  fence: true,
  oneStep: true,
  ofReading: true,
  first: true,
  readsAgain: true,
  refill: true,
  loadOfEpoch: true,
};

type Loader = { epoch: number; found: boolean } | null;
type Batch = { seq: number; epoch: number; isChecked: boolean };
type State = {
  /** The epoch in history's row, and the one that Redis was opened in; closed: an opening is going on. */
  row: number;
  redis: number;
  open: boolean;
  /** Whether this slot has lost something in the opening that is going on. */
  lost: boolean;
  /** Seqs at which x stands. */
  stream: readonly number[];
  settled: readonly number[];
  stored: readonly number[];
  /** The last seq given in this line; whether its pool knows x, and whether the conversation is loaded. */
  last: number;
  pool: boolean;
  loaded: boolean;
  /** What the archive knows of the epoch, what it holds, and whether it has given up. */
  archive: { epoch: number; batch: Batch | null; idle: boolean };
  /** Loaders: the epoch in which each began, and whether it found x in history. */
  loaders: readonly Loader[];
  /** The client: in which epoch it was answered, -1: not yet; and the seq of that answer. */
  answered: number;
  answeredSeq: number;
  losses: number;
};
type Step = readonly [label: string, state: State];

const jump = 10;
const mostLosses = 2;

const first: State = {
  row: 0,
  redis: 0,
  open: true,
  lost: false,
  stream: [],
  settled: [],
  stored: [],
  last: 0,
  pool: false,
  loaded: true,
  archive: { epoch: 0, batch: null, idle: false },
  loaders: [null, null],
  answered: -1,
  answeredSeq: 0,
  losses: 0,
};

export function lateArchive(rules: Rules): Model<State> {
  return {
    initial: [first],
    // The loaders are interchangeable.
    key: (state) => JSON.stringify({ ...state, loaders: state.loaders.map((one) => JSON.stringify(one)).sort() }),
    next: (state) => [
      ...sending(state),
      ...state.loaders.flatMap((loader, i) => loading(state, loader, i, rules)),
      ...archiving(state, rules),
      ...losing(state),
      ...opening(state, rules),
    ],
    violated,
    resting: (state) =>
      state.open &&
      state.answered === state.redis &&
      state.archive.batch === null &&
      state.loaders.every((loader) => loader === null) &&
      state.stream.every((seq) => state.stored.includes(seq)),
  };
}

/** The client sends x until it has an answer of this epoch. An answer may be lost. */
function sending(state: State): Step[] {
  const { open, loaded, pool, redis, answered } = state;
  if (!open || !loaded || answered === redis) return [];
  if (pool) {
    const seq = [...state.stored, ...state.stream].at(-1) ?? 0;
    return [['x is known', { ...state, answered: redis, answeredSeq: seq }]];
  }
  const seq = state.last + 1;
  const accepted: State = { ...state, last: seq, pool: true, stream: [...state.stream, seq] };
  return [
    [`x is accepted as ${seq}`, { ...accepted, answered: redis, answeredSeq: seq }],
    [`x is accepted as ${seq}, the answer is lost`, accepted],
  ];
}

function loading(state: State, loader: Loader, i: number, rules: Rules): Step[] {
  const { loaded, open, redis } = state;
  const having = (next: Loader): State => ({ ...state, loaders: state.loaders.with(i, next) });
  if (loader === null) {
    if (loaded) return [];
    const found = state.stored.length > 0;
    return [[`loader ${i} reads history: ${found ? '' : 'no '}x`, having({ epoch: redis, found })]];
  }
  const ended = having(null);
  if (!open || loaded) return [[`loader ${i} is too late`, ended]];
  if (rules.loadOfEpoch && loader.epoch !== redis) return [[`loader ${i} must read again`, ended]];
  return [[`loader ${i} installs`, { ...ended, loaded: true, pool: state.pool || (rules.refill && loader.found) }]];
}

function archiving(state: State, rules: Rules): Step[] {
  const { archive, open, redis, row, stored } = state;
  const { batch } = archive;
  const having = (changes: Partial<State['archive']>): State => ({ ...state, archive: { ...archive, ...changes } });
  const steps: Step[] = [];
  if (open && archive.epoch !== redis) steps.push([`the archive hears of epoch ${redis}`, having({ epoch: redis })]);
  if (batch === null) {
    const seq = state.stream.find((one) => !state.settled.includes(one));
    // It may not have heard of the present epoch yet.
    if (open && !archive.idle && seq !== undefined)
      steps.push([`the archive reads ${seq}`, having({ batch: { seq, epoch: archive.epoch, isChecked: false } })]);
    return steps;
  }
  const epoch = rules.ofReading ? batch.epoch : archive.epoch;
  const isRefused = rules.fence && !batch.isChecked && epoch !== row;
  if (isRefused) {
    steps.push([`${batch.seq} is refused`, having({ batch: null, idle: !rules.readsAgain })]);
    return steps;
  }
  if (!rules.oneStep && !batch.isChecked) {
    steps.push([`${batch.seq} may be stored`, having({ batch: { ...batch, isChecked: true } })]);
    return steps;
  }
  const after: State = {
    ...having({ batch: null }),
    stored: stored.includes(batch.seq) ? stored : [...stored, batch.seq],
    settled: [...new Set([...state.settled, batch.seq])].filter((seq) => state.stream.includes(seq)),
  };
  return [...steps, [`${batch.seq} is stored`, after]];
}

/** Redis comes back without x, or without something of another slot. */
function losing(state: State): Step[] {
  if (state.losses === mostLosses || !state.open) return [];
  const after: State = { ...state, open: false, losses: state.losses + 1 };
  return [
    ['another slot loses something', { ...after, lost: false }],
    ['the slot loses its end', { ...after, lost: true, stream: [], settled: [], pool: false }],
  ];
}

function opening(state: State, rules: Rules): Step[] {
  if (state.open) {
    // Without the rule: history hears of it late.
    return state.row === state.redis ? [] : [[`epoch ${state.redis} into history`, { ...state, row: state.redis }]];
  }
  if (rules.first && state.row === state.redis)
    return [[`epoch ${state.row + 1} into history`, { ...state, row: state.row + 1 }]];
  const redis = state.redis + 1;
  const opened: State = { ...state, redis, open: true };
  if (!state.lost) return [[`opened in epoch ${redis}`, opened]];
  return [[`opened in epoch ${redis}, another line`, { ...opened, last: jump * redis, loaded: false }]];
}

function violated({ stream, stored, open, answered, redis, answeredSeq }: State): string | null {
  const places = new Set([...stream, ...stored]);
  if (places.size > 1) return 'x has two seqs';
  const isWrong = open && answered === redis && !places.has(answeredSeq);
  return isWrong ? 'its sender was answered, and x is nowhere' : null;
}
