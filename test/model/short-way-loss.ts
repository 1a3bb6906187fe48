import type { Facts, Report, Verdict } from '../../shared/recovery/verdict.ts';
import type { Model } from './explore.ts';
import { beginnings, written } from './log.ts';
import { type Entry, type Item, isHeld, jump, type Node, nodeOf } from './short-way-node.ts';

/**
 * The short way of direct messages, over a node that loses the end of its log. Gateway A accepts, and may not hear the
 * answer. Gateway B is pushed what went the short way, reads the inbox, and lists what is in it. The fanout passes over
 * marked entries, where its group was not moved past them, and appends the others. The archive stores entries at any
 * time.
 *
 * Promise: no seq and no position that anybody was told is given to another message, and no message is lost or left out
 * of the inbox in silence.
 */
export type LossRules = {
  /** The entry and the append are one step of the log. */
  oneStep: boolean;
  /** Gateway A reports that it may have sent the short way, so that a loss in a shard is one of the partition too. */
  together: boolean;
  /** What gateway B was pushed, has read, or has listed is evidence. */
  pushes: boolean;
  pages: boolean;
  lists: boolean;
  /** Only right behind the seq before it. */
  behindTheLast: boolean;
};
export const all: LossRules = {
  oneStep: true,
  together: true,
  pushes: true,
  pages: true,
  lists: true,
  behindTheLast: true,
};

export type LossBounds = { sends: number; crashes: number; reads: number };

type Head = { line: number; head: number };
type Told = { id: string; seq: number };
type State = {
  run: number;
  log: string;
  /** The last stream ids that gateway A and the fanout saw, and the heads that gateway B and the fanout saw. */
  ids: { a: number; fanout: number };
  heads: { b: Head; fanout: Head };
  epoch: number;
  archived: readonly Entry[];
  answered: readonly (Told & { epoch: number })[];
  shown: readonly Told[];
  positions: readonly Item[];
  left: LossBounds;
};
type Step = readonly [label: string, state: State];
type Decide = (facts: Facts) => Verdict;

const noHead: Head = { line: 0, head: 0 };

export function shortWayLoss(bounds: LossBounds, rules: LossRules, decide: Decide): Model<State> {
  return {
    initial: [
      {
        run: 1,
        log: '',
        ids: { a: 0, fanout: 0 },
        heads: { b: noHead, fanout: noHead },
        epoch: 0,
        archived: [],
        answered: [],
        shown: [],
        positions: [],
        left: bounds,
      },
    ],
    key: keyOf,
    next(state) {
      const node = nodeOf(state.log);
      if (node.open !== state.run) return [...crashes(state), ...opening(state, node, rules, decide)];
      return [
        ...accepting(state, node, rules),
        ...fanningOut(state, node),
        ...archiving(state, node),
        ...reading(state, node, rules),
        ...crashes(state),
      ];
    },
    violated,
    resting(state) {
      const node = nodeOf(state.log);
      return node.open === state.run && !node.behind && node.settled.length === node.entries.length;
    },
  };
}

const toldText = ({ id, seq }: Told): string => `${id}${seq}`;

function keyOf({ archived, answered, shown, positions, ids, heads, left, ...rest }: State): string {
  return JSON.stringify([
    Object.values(rest),
    archived.map(toldText).sort(),
    answered.map((one) => `${toldText(one)}.${one.epoch}`).sort(),
    shown.map(toldText).sort(),
    positions.map((one) => `${toldText(one)}.${one.position}`).sort(),
    Object.values(ids),
    Object.values(heads),
    Object.values(left),
  ]);
}

function seenHead(known: Head, { lines, inbox }: Node): Head {
  return { line: lines.shard, head: known.line === lines.shard ? Math.max(known.head, inbox.head) : inbox.head };
}

function withTold<T extends Told>(list: readonly T[], added: readonly T[]): readonly T[] {
  const names = new Set(list.map((one) => JSON.stringify(one)));
  return [...list, ...added.filter((one) => !names.has(JSON.stringify(one)))];
}

function accepting(state: State, node: Node, rules: LossRules): Step[] {
  if (state.left.sends === 0) return [];
  const id = String(state.left.sends);
  const left = { ...state.left, sends: state.left.sends - 1 };
  const { conversation, lines, inbox } = node;
  const stored = Math.max(0, ...state.archived.map(({ seq }) => seq));
  const installed =
    conversation.line === lines.partition
      ? state.log
      : written(state.log, `i${Math.max(stored, conversation.seq) + jump * lines.partition}`);
  const seq = nodeOf(installed).conversation.seq + 1;
  const isShort = inbox.line === lines.shard && (!rules.behindTheLast || inbox.last === seq - 1);

  function outcomes(log: string, label: string, sent: State): Step[] {
    const { lastId } = nodeOf(log);
    const ids = { ...state.ids, a: Math.max(state.ids.a, lastId) };
    const answered = [...state.answered, { id, seq, epoch: state.epoch }];
    return [
      [`${label}, and the answer is lost`, sent],
      [label, { ...sent, ids, answered }],
    ];
  }

  const long = written(installed, `L${id}`);
  const steps = outcomes(long, `${id} is accepted as ${seq}`, { ...state, left, log: long });
  if (!isShort) return steps;
  // The fanout has settled everything: then its group is moved past the entry, and it is never a witness of it.
  const isAtEnd = node.settled.length === node.entries.length;
  const inSteps = isAtEnd ? [`M${id}`, `T${id}`, `A${id}`] : [`M${id}`, `A${id}`];
  const short = rules.oneStep ? written(installed, `${isAtEnd ? 'P' : 'S'}${id}`) : inSteps.reduce(written, installed);
  const sent: State = { ...state, left, log: short };
  const after = nodeOf(short);
  const item = after.inbox.items.filter((one) => one.id === id);
  const pushed: State = {
    ...sent,
    shown: withTold(sent.shown, [{ id, seq }]),
    positions: withTold(sent.positions, item),
    heads: rules.pushes ? { ...sent.heads, b: seenHead(sent.heads.b, after) } : sent.heads,
  };
  return [
    ...steps,
    ...outcomes(short, `${id} goes the short way as ${seq}, the push is lost`, sent),
    ...outcomes(short, `${id} goes the short way as ${seq}, and is pushed`, pushed),
  ];
}

function fanningOut(state: State, node: Node): Step[] {
  const entry = node.entries.find(({ id }) => !node.settled.includes(id));
  if (entry === undefined) return [];
  const { id, streamId, marked } = entry;
  const ids = { ...state.ids, fanout: Math.max(state.ids.fanout, streamId) };
  if (marked) return [[`the fanout passes over ${id}`, { ...state, ids, log: written(state.log, `T${id}`) }]];
  const isThere = node.inbox.last >= entry.seq;
  const appended = isThere ? state.log : written(state.log, `A${id}`);
  const heads = { ...state.heads, fanout: seenHead(state.heads.fanout, nodeOf(appended)) };
  return [
    ...(isThere ? [] : [[`the fanout appends ${id}, and dies`, { ...state, ids, log: appended }] as const]),
    [`the fanout appends and settles ${id}`, { ...state, ids, heads, log: written(appended, `T${id}`) }],
  ];
}

function archiving(state: State, { entries }: Node): Step[] {
  const newest = state.archived.at(-1)?.streamId ?? 0;
  const entry = entries.find(({ streamId }) => streamId > newest);
  return entry === undefined ? [] : [[`${entry.id} is archived`, { ...state, archived: [...state.archived, entry] }]];
}

function reading(state: State, node: Node, rules: LossRules): Step[] {
  if (node.behind) {
    const missing = state.archived.filter(({ id }) => !isHeld(node, id)).map(({ id }) => id);
    return [['the user is loaded', { ...state, log: written(state.log, `G${missing.join()}`) }]];
  }
  const { items, last } = node.inbox;
  if (state.left.reads === 0 || items.length === 0) return [];
  const left = { ...state.left, reads: state.left.reads - 1 };
  const heads = { ...state.heads, b: seenHead(state.heads.b, node) };
  const told = items.map(({ id, seq }) => ({ id, seq }));
  const page: State = {
    ...state,
    left,
    shown: withTold(state.shown, told),
    positions: withTold(state.positions, items),
    heads: rules.pages ? heads : state.heads,
  };
  const newest = told.filter(({ seq }) => seq === last);
  const list: State = {
    ...state,
    left,
    shown: withTold(state.shown, newest),
    heads: rules.lists ? heads : state.heads,
  };
  return [
    ['gateway B reads the inbox', page],
    ['gateway B lists the inbox', list],
  ];
}

function crashes(state: State): Step[] {
  const { log, run, left } = state;
  if (left.crashes === 0) return [];
  const after = { ...state, run: run + 1, left: { ...left, crashes: left.crashes - 1 } };
  return beginnings(log).map((beginning) => [
    `the node comes back with '${beginning}' of '${log}'`,
    { ...after, log: beginning },
  ]);
}

/** Everybody lives and reports at once. */
function opening(state: State, node: Node, rules: LossRules, decide: Decide): Step[] {
  const facts = factsOf(state, node, rules);
  const found = decide(facts);
  if (found.word === 'wait') throw new Error('everybody has reported');
  if (found.word === 'open')
    return [['opened: nothing was lost', { ...state, log: written(state.log, `o${state.run}`) }]];
  const epoch = state.epoch + 1;
  const isLost = (slot: string): boolean => found.slots === 'all' || found.slots.includes(slot);
  const partition = isLost('p0');
  const seen = Math.max(node.lastId, state.ids.a, state.ids.fanout, state.archived.at(-1)?.streamId ?? 0);
  const lines = [partition ? epoch : node.lines.partition, isLost('i0') ? epoch : node.lines.shard];
  const lastId = partition ? seen + jump * epoch : node.lastId;
  const log = written(state.log, `O${state.run},${epoch},${lines.join()},${lastId}`);
  return [[`opened in epoch ${epoch}: ${found.reason}`, { ...state, epoch, log }]];
}

function factsOf(
  { ids, heads, epoch, archived }: State,
  { lines, inbox, lastId, epoch: here }: Node,
  rules: LossRules,
): Facts {
  const misses = ({ line, head }: Head): string[] => (line === lines.shard && head > inbox.head ? ['i0'] : []);
  const report = (streamId: number, head: Head): Report => ({
    opening: 1,
    partitions: new Map([['p0', `${streamId}-0`]]),
    lost: misses(head),
    short: false,
  });
  const newest = archived.at(-1);
  const slot = { epoch: String(here), mark: 0 };
  return {
    opening: 1,
    timedOut: false,
    history: {
      epoch: String(epoch),
      archived: new Map(newest === undefined ? [] : [['p0', `${newest.streamId}-0`]]),
      slots: new Map(['p0', 'i0'].map((name) => [name, { gate: 1, mark: 0 }])),
      enlisted: ['A', 'B', 'fanout'].map((id) => ({ id, dead: false })),
    },
    redis: {
      epoch: String(here),
      opened: true,
      slots: new Map([
        ['p0', { ...slot, lastId: `${lastId}-0` }],
        ['i0', { ...slot, lastId: null }],
      ]),
    },
    reports: new Map([
      ['A', { ...report(ids.a, noHead), short: rules.together }],
      ['B', report(0, heads.b)],
      ['fanout', report(ids.fanout, heads.fanout)],
    ]),
  };
}

function violated({ run, log, epoch, archived, answered, shown, positions }: State): string | null {
  const bySeq = new Map<number, string>();
  for (const { id, seq } of [...answered, ...shown, ...archived]) {
    if ((bySeq.get(seq) ?? id) !== id) return 'a seq was given twice';
    bySeq.set(seq, id);
  }
  const byPosition = new Map<number, string>();
  for (const { id, position } of positions) {
    if ((byPosition.get(position) ?? id) !== id) return 'a position was given twice';
    byPosition.set(position, id);
  }
  const node = nodeOf(log);
  if (node.open !== run || node.epoch !== epoch || node.behind) return null;
  const there = new Set([...node.entries, ...archived].map(({ id }) => id));
  if (answered.some((one) => one.epoch === epoch && !there.has(one.id)))
    return 'a message was lost, and nobody is told';
  return node.settled.some((id) => !isHeld(node, id)) ? 'a message is settled and in no inbox' : null;
}
