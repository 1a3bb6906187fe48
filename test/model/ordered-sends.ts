import type { Model } from './explore.ts';

/**
 * Sends that name an earlier one (accept-messages.lua). One client sends three messages to one conversation, several
 * ahead. The server may refuse any, an answer may be lost with its connection, and what was under way then is carried
 * out later or never. The pool may forget a message that history has.
 *
 * A send names the nearest earlier message that is under way without an answer. The client repeats what was refused,
 * and begins no message before the ones before it.
 *
 * Promise: the messages are accepted in their order and once each, a message that was accepted is never refused, and
 * all are accepted in the end.
 */
export type OrderRules = {
  /** The server takes no notice of what a send names. */
  ignoresNames?: boolean;
  /** The server looks for what a send names before it looks for the send itself. */
  namesFirst?: boolean;
  /** The client does not say what comes before. */
  namesNothing?: boolean;
  /** The client names a message also when it has its answer. */
  namesAnswered?: boolean;
};

const count = 3;
const messages = Array.from({ length: count }, (_, i) => i);

type Send = { message: number; after: number | null };
type Answer = { message: number; is: 'accepted' | 'refused' };

type State = {
  /** What the client knows of each message. */
  client: ('waits' | 'sent' | 'answered')[];
  /** On the connection, in their order. */
  sends: Send[];
  answers: Answer[];
  /** Sends of connections that were lost. */
  astray: Send[];
  /** As accepted, in the order of their seqs. */
  accepted: number[];
  pool: number[];
  /** How often the server may still refuse, a connection may be lost, and the pool may forget. */
  refusals: number;
  losses: number;
  forgets: number;
  /** A message that was accepted was refused. */
  wronged: boolean;
};

const first: State = {
  client: messages.map(() => 'waits'),
  sends: [],
  answers: [],
  astray: [],
  accepted: [],
  pool: [],
  refusals: 2,
  losses: 1,
  forgets: 1,
  wronged: false,
};

function begin(state: State, message: number, rules: OrderRules): State {
  const before = messages.slice(0, message).reverse();
  const after = before.find((one) => state.client[one] === 'sent' || rules.namesAnswered) ?? null;
  return {
    ...state,
    client: state.client.map((one, i) => (i === message ? 'sent' : one)),
    sends: [...state.sends, { message, after: rules.namesNothing ? null : after }],
  };
}

/** What the script decides about one send. History finds what the pool forgot. */
function decide(state: State, { message, after }: Send, rules: OrderRules): [State, Answer['is']] {
  const isEarly = after !== null && !state.pool.includes(after) && !rules.ignoresNames;
  const isKnown = state.accepted.includes(message);
  if (isEarly && rules.namesFirst) return [{ ...state, wronged: state.wronged || isKnown }, 'refused'];
  if (isKnown) return [state, 'accepted'];
  if (isEarly) return [state, 'refused'];
  return [{ ...state, accepted: [...state.accepted, message], pool: [...state.pool, message] }, 'accepted'];
}

function answer(state: State, is: Answer['is']): State {
  const [{ message }, ...sends] = state.sends as [Send, ...Send[]];
  return { ...state, sends, answers: [...state.answers, { message, is }] };
}

function hear(state: State): State {
  const [{ message, is }, ...answers] = state.answers as [Answer, ...Answer[]];
  const known = is === 'accepted' ? 'answered' : 'waits';
  return { ...state, answers, client: state.client.map((one, i) => (i === message ? known : one)) };
}

const lose = (state: State): State => ({
  ...state,
  losses: state.losses - 1,
  client: state.client.map((one) => (one === 'sent' ? 'waits' : one)),
  astray: [...state.astray, ...state.sends],
  sends: [],
  answers: [],
});

const isDone = (state: State): boolean => state.client.every((one) => one === 'answered');

export const orderedSends = (rules: OrderRules = {}): Model<State> => ({
  initial: [first],
  key: (state) => JSON.stringify(state),
  next(state) {
    const steps: [string, State][] = [];
    const next = messages.find((message) => state.client[message] === 'waits');
    if (next !== undefined) steps.push([`the client sends ${next}`, begin(state, next, rules)]);
    if (state.sends.length > 0) {
      const [decided, is] = decide(state, state.sends[0]!, rules);
      steps.push([`${state.sends[0]!.message} is carried out`, answer(decided, is)]);
      if (state.refusals > 0)
        steps.push([
          `${state.sends[0]!.message} is refused for now`,
          answer({ ...state, refusals: state.refusals - 1 }, 'refused'),
        ]);
    }
    if (state.answers.length > 0) steps.push(['the client has an answer', hear(state)]);
    if (state.losses > 0 && state.sends.length + state.answers.length > 0)
      steps.push(['the connection is lost', lose(state)]);
    if (state.astray.length > 0) {
      const [send, ...astray] = state.astray as [Send, ...Send[]];
      steps.push([`${send.message} is carried out late`, decide({ ...state, astray }, send, rules)[0]]);
      steps.push([`${send.message} gets lost`, { ...state, astray }]);
    }
    if (state.forgets > 0)
      for (const message of state.pool)
        steps.push([
          `the pool forgets ${message}`,
          { ...state, forgets: state.forgets - 1, pool: state.pool.filter((one) => one !== message) },
        ]);
    return steps;
  },
  violated({ accepted, wronged }) {
    if (wronged) return 'a message that was accepted is refused';
    return accepted.every((message, i) => message === i) ? null : `accepted in the order ${accepted.join()}`;
  },
  resting: isDone,
});
