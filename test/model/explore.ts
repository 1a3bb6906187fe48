/**
 * A small explicit-state engine: every state that can be reached from the initial ones, breadth first, so that the first
 * violation found is a shortest one.
 */
export type Model<S> = {
  initial: readonly S[];
  /** Two states with the same key are one. */
  key: (state: S) => string;
  /** What may happen next: a label for the trace, and the state after it. */
  next: (state: S) => readonly [label: string, state: S][];
  /** What is wrong in this state, or null. */
  violated: (state: S) => string | null;
};

export type Exploration = {
  /** How many states were reached: an exploration that finds nothing wrong says something only with this. */
  states: number;
  violation: string | null;
  /** The steps that lead to the violation, one label each. */
  trace: readonly string[];
};

/** Explores a whole model, up to its first violation. Throws above `limit` states: half an exploration proves nothing. */
export const explore = <S>({ initial, key, next, violated }: Model<S>, limit = 2_000_000): Exploration => {
  const known = new Set<string>();
  const states: (S | undefined)[] = [];
  const parents: number[] = [];
  const labels: string[] = [];
  const add = (state: S, parent: number, label: string): void => {
    const name = key(state);
    if (known.has(name)) return;
    if (known.size >= limit) throw new Error(`more than ${limit} states`);
    known.add(name);
    states.push(state);
    parents.push(parent);
    labels.push(label);
  };
  const traceOf = (at: number): string[] => {
    const trace: string[] = [];
    for (let one = at; parents[one]! >= 0; one = parents[one]!) trace.push(labels[one]!);
    return trace.reverse();
  };

  for (const state of initial) add(state, -1, 'begin');
  for (let at = 0; at < states.length; at += 1) {
    const state = states[at]!;
    const violation = violated(state);
    if (violation !== null) return { states: states.length, violation, trace: traceOf(at) };
    for (const [label, after] of next(state)) add(after, at, label);
    states[at] = undefined;
  }
  return { states: states.length, violation: null, trace: [] };
};

/** An exploration as lines of text, for whoever has to read what went wrong. */
export const told = ({ states, violation, trace }: Exploration): string =>
  violation === null
    ? `no violation in ${states} states`
    : [`${violation} (${trace.length} steps, ${states} states)`, ...trace.map((label, index) => `  ${index + 1}. ${label}`)].join('\n');
