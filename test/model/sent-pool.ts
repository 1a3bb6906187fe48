import type { Model } from './explore.ts';

/**
 * The pool of known clientIds (sent-pool.include.lua). Two gateways call at any time, answers arrive at any time, and
 * the clock of Redis may be set to anything at any time. Time runs in steps. Ages are kept only as far as they matter,
 * so the model is finite and time never ends.
 *
 * One clientId, X, is accepted once. Promise: for `dedupe` steps of time afterwards, every call finds it. Also, X can
 * be forgotten from every state, with at most two parts kept.
 */
export type PoolRules = {
  /** A part's age is how far the clock of Redis has moved since the mark was set. */
  byClock?: boolean;
  /** Any mark that a caller knows is a witness. */
  anyMark?: boolean;
  /** Counting leaves the mark unchanged. */
  sameMark?: boolean;
  /** A gateway counts as having known the mark of an answer since the call. */
  sinceCalling?: boolean;
  /** Turning to another part drops the part that was in use. */
  dropsLeft?: boolean;
  /** Parts never turn. */
  neverTurns?: boolean;
};

const dedupe = 3;
/** The offsets of Redis' clock from the time. */
const clocks = [-2 * dedupe, 0, 2 * dedupe];

/**
 * A gateway's knowledge: a mark that is `behind` marks before the current one, and how long it was held. Null: none.
 */
type Known = { behind: number; held: number } | null;

type Gateway = {
  known: Known;
  /** A call on its way, with its contents and age; an answer on its way, with its mark. */
  call: { known: Known; isX: boolean; age: number } | null;
  answer: { behind: number; age: number } | null;
};

type State = {
  spent: number;
  /** The age of the mark, and the clock when it was set: for the rule that uses it. */
  markAge: number;
  markClock: number;
  clock: number;
  gateways: Gateway[];
  /** X: how many parts ago and how long ago it was accepted; null before. */
  x: { parts: number; age: number } | null;
  /** How many parts are kept. */
  kept: number;
};

const first: State = {
  spent: 0,
  markAge: 0,
  markClock: 0,
  clock: 0,
  x: null,
  kept: 1,
  gateways: [
    { known: null, call: null, answer: null },
    { known: null, call: null, answer: null },
  ],
};

/** A higher age makes no difference. */
const older = (age: number): number => Math.min(dedupe, age + 1);

/** A mark that is no longer current proves nothing, however long it was held, except under the rule that takes any. */
const asKnown = (behind: number, held: number, { anyMark }: PoolRules): Known => ({
  behind,
  held: behind === 0 || anyMark ? held : 0,
});

/** Ages that no rule uses stay at 0. */
const timePasses = (state: State, rules: PoolRules): State => ({
  ...state,
  markAge: rules.byClock ? older(state.markAge) : 0,
  x: state.x && { ...state.x, age: older(state.x.age) },
  gateways: state.gateways.map(({ known, call, answer }) => ({
    known: known && asKnown(known.behind, older(known.held), rules),
    call: call && { ...call, age: rules.sinceCalling ? older(call.age) : 0 },
    answer: answer && { ...answer, age: rules.sinceCalling ? older(answer.age) : 0 },
  })),
});

/** A new mark: every known mark is now one older. Beyond two marks the difference does not matter. */
function remark(state: State, rules: PoolRules): State {
  const behind = (one: number): number => Math.min(2, one + 1);
  const later = (known: Known): Known => known && asKnown(behind(known.behind), known.held, rules);
  return {
    ...state,
    markAge: 0,
    markClock: rules.byClock ? state.clock : 0,
    gateways: state.gateways.map(({ known, call, answer }) => ({
      known: later(known),
      call: call && { ...call, known: later(call.known) },
      answer: answer && { ...answer, behind: behind(answer.behind) },
    })),
  };
}

const withGateway = (state: State, i: number, gateway: Gateway): State => ({
  ...state,
  gateways: state.gateways.map((other, j) => (j === i ? gateway : other)),
});

function turn(state: State, rules: PoolRules): State {
  const left = rules.dropsLeft ? 1 : 2;
  return { ...state, spent: 0, kept: left, x: state.x && { ...state.x, parts: Math.min(2, state.x.parts + 1) } };
}

/** Runs the script: first the send, then the counting. */
function execute(before: State, i: number, rules: PoolRules): State {
  const { call } = before.gateways[i]!;
  let state = before;
  if (call!.isX && state.x === null) state = { ...state, x: { parts: 0, age: 0 } };
  let passed = call!.known !== null && (rules.anyMark || call!.known.behind === 0) ? call!.known.held : 0;
  if (rules.byClock) passed = Math.max(0, state.markAge + state.clock - state.markClock);
  if (passed > 0) {
    state = { ...state, spent: Math.min(dedupe, state.spent + passed) };
    if (!rules.sameMark) state = remark(state, rules);
    if (state.spent >= dedupe && !rules.neverTurns) state = turn(state, rules);
  }
  return withGateway(state, i, { known: state.gateways[i]!.known, call: null, answer: { behind: 0, age: call!.age } });
}

function hear(state: State, i: number, rules: PoolRules): State {
  const { known, answer } = state.gateways[i]!;
  const isNews = known === null || known.behind !== answer!.behind;
  const held = rules.sinceCalling ? answer!.age : 0;
  return withGateway(state, i, { known: isNews ? { behind: answer!.behind, held } : known, call: null, answer: null });
}

const isForgotten = ({ x, kept }: State): boolean => x !== null && x.parts >= kept;

export const sentPool = (rules: PoolRules = {}): Model<State> => ({
  initial: [first],
  // The gateways are interchangeable.
  key: (state) =>
    JSON.stringify({ ...state, gateways: state.gateways.map((gateway) => JSON.stringify(gateway)).sort() }),
  next(state) {
    if (isForgotten(state)) return [];
    const steps: [string, State][] = [['time passes', timePasses(state, rules)]];
    for (const clock of clocks)
      if (clock !== state.clock) steps.push([`the clock of Redis is set to ${clock}`, { ...state, clock }]);
    for (const [i, { known, call, answer }] of state.gateways.entries()) {
      if (call !== null) steps.push([`the call of gateway ${i} is carried out`, execute(state, i, rules)]);
      else if (answer !== null) steps.push([`gateway ${i} has its answer`, hear(state, i, rules)]);
      else {
        steps.push([
          `gateway ${i} calls`,
          withGateway(state, i, { known, call: { known, isX: false, age: 0 }, answer: null }),
        ]);
        if (state.x === null)
          steps.push([
            `gateway ${i} calls with X`,
            withGateway(state, i, { known, call: { known, isX: true, age: 0 }, answer: null }),
          ]);
      }
      // Another process takes its place.
      if (known !== null)
        steps.push([`gateway ${i} begins anew`, withGateway(state, i, { known: null, call: null, answer: null })]);
    }
    return steps;
  },
  violated({ x, kept }) {
    if (kept > 2) return 'more than two parts are kept';
    return x !== null && x.age < dedupe && x.parts >= kept ? `X is forgotten after ${x.age} of ${dedupe}` : null;
  },
  resting: isForgotten,
});
