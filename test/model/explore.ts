/**
 * A small explicit-state model checker. It visits every reachable state breadth first, so the first violation found is
 * a shortest one. It also checks that the system can come to rest from each state.
 */
export type Model<S> = {
  initial: readonly S[];
  /** Two states with the same key are one. */
  key: (state: S) => string;
  /** The possible next steps: a label for the trace, and the resulting state. */
  next: (state: S) => readonly (readonly [label: string, state: S])[];
  /** What is wrong in this state, or null. */
  violated: (state: S) => string | null;
  /** Whether nothing is left to do. A rule about states at rest proves nothing if rest is never reached. */
  resting: (state: S) => boolean;
};

export type Exploration = {
  /** How many states were reached. Finding no violation means something only with this number. */
  states: number;
  violation: string | null;
  /** The labels of the steps that lead to the violation. */
  trace: readonly string[];
};

/**
 * Explores a whole model, up to its first violation. Throws above `limit` states: half an exploration proves nothing.
 */
export function explore<S>({ initial, key, next, violated, resting }: Model<S>, limit = 2_000_000): Exploration {
  const indices = new Map<string, number>();
  const states: (S | undefined)[] = [];
  const parents: number[] = [];
  const labels: string[] = [];
  /** The steps as two lists: source states and target states. */
  const from: number[] = [];
  const to: number[] = [];
  const rested: number[] = [];

  const add = (state: S, parent: number, label: string): void => {
    const name = key(state);
    let index = indices.get(name);
    if (index === undefined) {
      index = states.length;
      if (index >= limit) throw new Error(`more than ${limit} states`);
      indices.set(name, index);
      states.push(state);
      parents.push(parent);
      labels.push(label);
    }
    if (parent < 0) return;
    from.push(parent);
    to.push(index);
  };
  const found = (violation: string, at: number): Exploration => {
    const trace: string[] = [];
    for (let one = at; parents[one]! >= 0; one = parents[one]!) trace.push(labels[one]!);
    return { states: states.length, violation, trace: trace.reverse() };
  };

  for (const state of initial) add(state, -1, 'begin');
  for (let at = 0; at < states.length; at += 1) {
    const state = states[at]!;
    const violation = violated(state);
    if (violation !== null) return found(violation, at);
    if (resting(state)) rested.push(at);
    for (const [label, after] of next(state)) add(after, at, label);
    states[at] = undefined;
  }

  // Walk backwards from the states at rest. The steps into one state form a linked list: `last` is its end, and each
  // step points to the one before.
  const last = new Int32Array(states.length).fill(-1);
  const before = new Int32Array(to.length);
  to.forEach((state, step) => {
    before[step] = last[state]!;
    last[state] = step;
  });
  const restless = new Uint8Array(states.length).fill(1);
  for (const at of rested) restless[at] = 0;
  for (let at = rested.pop(); at !== undefined; at = rested.pop()) {
    for (let step = last[at]!; step >= 0; step = before[step]!) {
      if (restless[from[step]!] === 0) continue;
      restless[from[step]!] = 0;
      rested.push(from[step]!);
    }
  }
  const restlessAt = restless.indexOf(1);
  return restlessAt < 0
    ? { states: states.length, violation: null, trace: [] }
    : found('never comes to rest', restlessAt);
}

/** An exploration as lines of text, to explain a violation. */
export const told = ({ states, violation, trace }: Exploration): string =>
  violation === null
    ? `no violation in ${states} states`
    : [
        `${violation} (${trace.length} steps, ${states} states)`,
        ...trace.map((label, index) => `  ${index + 1}. ${label}`),
      ].join('\n');
