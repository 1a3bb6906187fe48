import { expect, test } from 'vitest';

/**
 * Every interleaving of accepting, archiving, unloading and loading one conversation, as the scripts decide. There are
 * two compactors, two loaders and one loss of Redis. A step is one script or one read of history, so anything may
 * happen between two steps of one process. The rules can be left out one by one, and each time something breaks: every
 * rule is needed.
 */
type Rules = {
  /** unload-conversation.lua: Redis has exactly what was read from history. */
  compares: boolean;
  /** install-conversation.lua: only a mark of this epoch is trusted. */
  ofThisEpoch: boolean;
  /** … and only if history matches the mark. */
  asMarked: boolean;
  /** … and a difference from history is checked once more before it counts as a loss. */
  readsAgain: boolean;
};
const all: Rules = { compares: true, ofThisEpoch: true, asMarked: true, readsAgain: true };

const mostAccepted = 2;
const mostSkips = 2;
const jump = 100;

/** Plain data, so that a state can be written as text. */
type State = {
  epoch: number;
  /** The slot's conversation, with the epoch of its hash or of the mark. Null: Redis does not know it. */
  here: { state: 'loaded' | 'marked'; epoch: number; seq: number } | null;
  /** Seqs that are accepted and not archived. */
  stream: number[];
  /** The last seq in history. */
  stored: number;
  /** The seqs that senders got as answers. A loss does not change them. */
  answered: number[];
  /** The last seq that each compactor and loader read from history, and the mark that the loader knew before. */
  compactors: (number | null)[];
  loaders: ({ read: number | null; mark: number | null } | null)[];
  /** A copy of Redis that may come back. */
  saved: { here: State['here']; stream: State['stream'] } | null;
  lost: boolean;
  skips: number;
};

const first: State = {
  epoch: 1,
  here: { state: 'loaded', epoch: 1, seq: 0 },
  stream: [],
  stored: 0,
  answered: [],
  compactors: [null, null],
  loaders: [null, null],
  saved: null,
  lost: false,
  skips: 0,
};

/** Much faster than structuredClone; the saved copy never changes. */
const copyOf = (state: State): State => ({
  ...state,
  here: state.here && { ...state.here },
  stream: [...state.stream],
  answered: [...state.answered],
  compactors: [...state.compactors],
  loaders: state.loaders.map((loader) => loader && { ...loader }),
});

/** Every state that one step leads to. */
function* steps(state: State, rules: Rules): Generator<State> {
  const step = (change: (next: State) => void): State => {
    const next = copyOf(state);
    change(next);
    return next;
  };
  const { here } = state;
  const isLoaded = here?.state === 'loaded' && here.epoch === state.epoch;
  if (isLoaded && state.answered.length < mostAccepted) {
    yield step((next) => {
      next.here!.seq += 1;
      next.stream.push(next.here!.seq);
      next.answered.push(next.here!.seq);
    });
  }
  if (state.stream.length > 0) yield step((next) => (next.stored = Math.max(next.stored, next.stream.shift()!)));
  for (const [i, read] of state.compactors.entries()) {
    if (read === null) yield step((next) => (next.compactors[i] = next.stored));
    else {
      yield step((next) => {
        next.compactors[i] = null;
        if (isLoaded && (!rules.compares || here.seq === read)) next.here!.state = 'marked';
      });
    }
  }
  for (const [i, loader] of state.loaders.entries()) {
    // A send or read that finds the conversation not loaded loads it.
    if (loader === null) {
      if (!isLoaded) yield step((next) => (next.loaders[i] = { read: null, mark: null }));
    } else if (loader.read === null) yield step((next) => (next.loaders[i]!.read = next.stored));
    else yield step((next) => install(next, i, rules));
  }
  if (state.saved === null)
    yield step((next) => (next.saved = { here: structuredClone(next.here), stream: [...next.stream] }));
  if (!state.lost) {
    // Redis comes back empty or as it was. Processes that were in the middle of something go on.
    for (const back of [{ here: null, stream: [] }, ...(state.saved === null ? [] : [state.saved])]) {
      yield step((next) => Object.assign(next, { ...structuredClone(back), epoch: 2, lost: true }));
    }
  }
}

function install(next: State, i: number, rules: Rules): void {
  const { read, mark } = next.loaders[i]!;
  next.loaders[i] = null;
  const { here } = next;
  if (here?.state === 'loaded' && here.epoch === next.epoch) return;
  const isMark = here?.state === 'marked' && (!rules.ofThisEpoch || here.epoch === next.epoch);
  if (isMark && (!rules.asMarked || here.seq === read)) {
    next.here = { state: 'loaded', epoch: next.epoch, seq: rules.asMarked ? here.seq : read! };
    return;
  }
  if (isMark && rules.readsAgain && mark !== here.seq) {
    next.loaders[i] = { read: null, mark: here.seq };
    return;
  }
  const seq = Math.max(read!, here?.seq ?? 0) + jump;
  next.here = { state: 'loaded', epoch: next.epoch, seq };
  next.stored = seq;
  next.skips += 1;
}

function faultOf(state: State): string | null {
  if (new Set(state.answered).size < state.answered.length) return 'a seq was given twice';
  return !state.lost && state.skips > 0 ? 'seqs were skipped without a loss' : null;
}

/** One text for states that differ only by swapping two like processes. */
const nameOf = (state: State): string =>
  JSON.stringify({
    ...state,
    compactors: state.compactors.toSorted(),
    loaders: state.loaders.map((loader) => JSON.stringify(loader)).sort(),
  });

/** The first of these faults in a reachable state, and how many states were visited. */
function explore(rules: Rules, faults: string[]): { fault: string | null; states: number } {
  const seen = new Set([nameOf(first)]);
  let wave = [first];
  while (wave.length > 0) {
    const following: State[] = [];
    for (const state of wave) {
      for (const next of steps(state, rules)) {
        const name = nameOf(next);
        if (next.skips > mostSkips || seen.has(name)) continue;
        seen.add(name);
        const fault = faultOf(next);
        if (fault !== null && faults.includes(fault)) return { fault, states: seen.size };
        following.push(next);
      }
    }
    wave = following;
  }
  return { fault: null, states: seen.size };
}

const [twice, skipped] = ['a seq was given twice', 'seqs were skipped without a loss'];

test('no seq is given twice, and none is skipped without a loss', () => {
  const { fault, states } = explore(all, [twice, skipped]);
  expect(fault).toBe(null);
  expect(states).toBeGreaterThan(10_000);
}, 30_000);

test.each<[keyof Rules, string]>([
  ['compares', skipped],
  ['ofThisEpoch', twice],
  ['asMarked', twice],
  ['readsAgain', skipped],
])(
  'without the rule "%s": %s',
  (rule, fault) => {
    expect(explore({ ...all, [rule]: false }, [fault]).fault).toBe(fault);
  },
  30_000,
);
