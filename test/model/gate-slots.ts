import type { Facts, Verdict } from '../../shared/recovery/verdict.ts';
import type { Model } from './explore.ts';
import { type ConversationName, type Node, nodeOf } from './gate-slots-node.ts';
import { isOpen, openingSteps } from './gate-slots-opening.ts';
import {
  type Bounds,
  type Gateway,
  jump,
  names,
  type Rules,
  type Seen,
  type State,
  type Step,
} from './gate-slots-state.ts';
import { beginnings, written } from './log.ts';

/**
 * The gate over two partitions of one node, where a loss may concern one slot and not the other. Two gateways accept,
 * read pages, and are pushed messages of a large group. Idle conversations are unloaded. The node may also be emptied
 * while it runs. Processes neither die nor leave here (gate.ts).
 */
export function gateOfSlots(bounds: Bounds, rules: Rules, decide: (facts: Facts) => Verdict): Model<State> {
  const gateway: Gateway = { ids: { a: 0, b: 0 }, seat: 0, reported: 0 };
  return {
    initial: [
      {
        run: 1,
        openRun: 1,
        log: '',
        gateways: [gateway, gateway],
        opening: 'none',
        lost: '',
        gate: 0,
        epoch: 0,
        archived: [],
        accepted: [],
        shown: [],
        harmed: false,
        fault: '',
        left: bounds,
      },
    ],
    key: keyOf,
    next: (state) => [
      ...state.gateways.flatMap((one, i) => gatewaySteps(state, one, i, rules)),
      ...nodeSteps(state),
      ...openingSteps(state, rules, decide),
    ],
    violated,
    resting: (state) => isOpen(state, nodeOf(state.log)) && state.opening === 'none',
  };
}

function keyOf({ gateways, archived, accepted, shown, left, ...rest }: State): string {
  const texts = gateways.map(({ ids, seat, reported }) => [ids.a, ids.b, seat, reported].join('.')).sort();
  const seen = (one: Seen): string => `${one.conversation}${one.seq}${one.id}`;
  return [
    ...texts,
    archived.map(seen).sort().join(),
    accepted
      .map((one) => `${seen(one)}.${one.epoch}`)
      .sort()
      .join(),
    shown.map(seen).sort().join(),
    Object.values(left).join(),
    Object.values(rest).join(),
  ].join('|');
}

function spent(state: State, what: keyof Bounds): State {
  return { ...state, left: { ...state.left, [what]: state.left[what] - 1 } };
}

function changed(state: State, i: number, changes: Partial<Gateway>): State {
  return { ...state, gateways: state.gateways.with(i, { ...state.gateways[i]!, ...changes }) };
}

function gatewaySteps(state: State, one: Gateway, i: number, rules: Rules): Step[] {
  const node = nodeOf(state.log);
  const me = `G${i + 1}`;
  const steps: Step[] = [];
  if (state.opening === 'begun' && one.reported < state.gate)
    steps.push([`${me} reports`, changed(state, i, { reported: state.gate })]);
  const isServed = state.openRun === state.run && (node.gate !== null || !rules.closed);
  if (!isServed) return steps;
  for (const name of names) {
    if (state.left.sends > 0) steps.push(...accepting(state, one, i, name, rules));
    const newest = node.entries.findLast((entry) => entry.conversation === name);
    if (newest === undefined || state.left.reads === 0) continue;
    const after = { ...spent(state, 'reads'), shown: [...state.shown, newest] };
    const ids = { ...one.ids, [name]: Math.max(one.ids[name], newest.streamId) };
    if (name === 'b') steps.push([`${me} is pushed b ${newest.seq}`, changed(after, i, { seat: newest.seq })]);
    steps.push([`${me} reads ${name} ${newest.seq}`, changed(after, i, rules.pages ? { ids } : {})]);
  }
  return steps;
}

/** A conversation that is not there is installed first. */
function accepting(state: State, one: Gateway, i: number, conversation: ConversationName, rules: Rules): Step[] {
  const id = String(state.left.sends);
  const node = nodeOf(state.log);
  const { line, conversation: here } = node[conversation];
  const isLoaded = !here.marked && (here.line === line || line === null);
  const base = isLoaded ? state.log : written(state.log, installing(state, node, conversation, rules));
  const log = written(base, conversation + id);
  const { seq, streamId } = nodeOf(log).entries.at(-1)!;
  const appended = { ...spent(state, 'sends'), log };
  const accepted = [...state.accepted, { conversation, seq, id, epoch: state.epoch }];
  const ids = { ...one.ids, [conversation]: streamId };
  const label = `${id} is sent to ${conversation} by G${i + 1}, as ${seq}`;
  return [
    [`${label}, and the answer is lost`, appended],
    [label, { ...changed(appended, i, { ids }), accepted }],
  ];
}

/** The conversation goes on from its mark, or jumps beyond what Redis and history know. */
function installing({ archived }: State, node: Node, name: ConversationName, rules: Rules): string {
  const { line, conversation } = node[name];
  const stored = Math.max(0, ...archived.filter((one) => one.conversation === name).map(({ seq }) => seq));
  const isTrusted = conversation.marked && (conversation.line === line || !rules.marks);
  const goesOn = isTrusted && conversation.seq === stored;
  const seq = goesOn ? stored : Math.max(stored, conversation.seq) + jump * Math.max(1, line ?? 0);
  return `i${name}${seq}`;
}

function nodeSteps(state: State): Step[] {
  const { log, run, left } = state;
  const node = nodeOf(log);
  const steps: Step[] = [];
  if (isOpen(state, node)) {
    for (const name of names) {
      const last = state.archived.findLast((one) => one.conversation === name)?.streamId ?? 0;
      const entry = node.entries.find(({ conversation, streamId }) => conversation === name && streamId > last);
      if (entry === undefined) continue;
      steps.push([`${name} ${entry.seq} is archived`, { ...state, archived: [...state.archived, entry] }]);
    }
    const { line, conversation } = node.b;
    const stored = state.archived.findLast((one) => one.conversation === 'b')?.seq ?? 0;
    if (left.unloads > 0 && !conversation.marked && conversation.line === line && stored === conversation.seq)
      steps.push(['b is unloaded', { ...spent(state, 'unloads'), log: written(log, 'u') }]);
  }
  if (left.flushes > 0)
    steps.push([
      'the node is emptied',
      { ...spent(state, 'flushes'), log: written(log, 'F'), opening: 'none', lost: '', harmed: true },
    ]);
  if (left.crashes > 0) {
    for (const beginning of beginnings(log)) {
      const harmed = state.harmed || beginning !== log;
      const after: State = {
        ...spent(state, 'crashes'),
        run: run + 1,
        log: beginning,
        opening: 'none',
        lost: '',
        harmed,
      };
      steps.push([`the node comes back with '${beginning}' of '${log}'`, after]);
    }
  }
  return steps;
}

function violated({ accepted, shown, archived, log, run, openRun, epoch, fault }: State): string | null {
  if (fault !== '') return fault;
  const given = new Map<string, string>();
  for (const { conversation, seq, id } of [...accepted, ...shown, ...archived]) {
    const key = `${conversation}${seq}`;
    if ((given.get(key) ?? id) !== id) return 'a seq was given twice';
    given.set(key, id);
  }
  const node = nodeOf(log);
  if (openRun !== run || node.epoch !== epoch) return null;
  const there = new Set([...node.entries, ...archived].map(({ id }) => id));
  const isLost = accepted.some((one) => one.epoch === epoch && !there.has(one.id));
  return isLost ? 'a message was lost, and nobody is told' : null;
}
