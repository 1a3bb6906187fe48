import type { Model } from './explore.ts';

/**
 * The pool of known clientIds (sent-pool.include.lua): two gateways that call at any time, answers that come at any
 * time, a clock of Redis that is set to anything at any time. Time runs in steps; ages are kept only as far as they
 * matter, so the model is finite and runs for ever.
 *
 * One clientId, X, is accepted once. Promise: for `dedupe` steps of time from then on a call finds it. And from
 * everywhere it can come to be forgotten, with two parts kept at most.
 */
export type PoolRules = {
  /** A part's time is what the clock of Redis has moved on by since the mark was set. */
  byClock?: boolean;
  /** Whatever mark a caller knows is a witness. */
  anyMark?: boolean;
  /** Counting leaves the mark as it is. */
  sameMark?: boolean;
  /** A gateway has known the mark of an answer since it called. */
  sinceCalling?: boolean;
  /** The turn to another part drops the one that it leaves. */
  dropsLeft?: boolean;
  /** There is no turn. */
  neverTurns?: boolean;
};

const dedupe = 3;
/** What the clock of Redis shows beside the time. */
const clocks = [-2 * dedupe, 0, 2 * dedupe];

/** What a gateway knows: a mark, set after all but `behind` marks of now, and for how long (null: none). */
type Known = { behind: number; held: number } | null;

type Gateway = {
  known: Known;
  /** A call on its way, with what it says and since when; an answer on its way, with its mark. */
  call: { known: Known; isX: boolean; age: number } | null;
  answer: { behind: number; age: number } | null;
};

type State = {
  spent: number;
  /** How long ago, and at which clock, the mark was set: for the rule that asks for it. */
  markAge: number;
  markClock: number;
  clock: number;
  gateways: Gateway[];
  /** X: how many parts ago it was accepted, and how long ago; null before. */
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

/** Beyond that an age says nothing more. */
const older = (age: number): number => Math.min(dedupe, age + 1);

/** A mark that does not stand any more says nothing, however long it was held, but by the rule that takes any. */
const asKnown = (behind: number, held: number, { anyMark }: PoolRules): Known => ({
  behind,
  held: behind === 0 || anyMark ? held : 0,
});

/** Ages that no rule asks for are left at 0. */
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

/** A new mark: what everybody knows is one older. Two marks ago is as good as more. */
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

/** What a script does: the send, then the counting. */
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
  // It does not matter which gateway is which.
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
