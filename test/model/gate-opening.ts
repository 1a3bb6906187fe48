import type { Facts, Verdict } from '../../shared/recovery/verdict.ts';
import { slotOf } from './gate-log.ts';
import type { Rules, State } from './gate-state.ts';
import { written } from './log.ts';

export type Decide = (facts: Facts) => Verdict;
export type Step = readonly [label: string, state: State];

/** After a loss, seqs go on this far above everything known. More than that is never given in one epoch. */
const jump = 10;

export const noOpening = { opening: 'none', members: [], memberOrphans: 0, earlyMark: 0 } as const;

/** What an opener does next, for a slot that is not open for this run of Redis. */
export function openingSteps(state: State, rules: Rules, decide: Decide): Step[] {
  const slot = slotOf(state.log);
  if (slot.open === state.run && state.opening !== 'untold') return [];
  const { opening, gate } = state;
  const members = state.processes.filter(({ row }) => row).map(({ name }) => name);
  switch (opening) {
    case 'none':
      if (rules.numberFirst) return [[`opening ${gate + 1} begins`, begun(state)]];
      return [['an opener reads the rows', { ...begun(state), gate, members, memberOrphans: state.orphans }]];
    case 'begun':
      if (!rules.numberFirst) return [[`opening ${gate + 1} begins`, { ...state, opening: 'read', gate: gate + 1 }]];
      return [['the opener reads the rows', { ...state, opening: 'read', members, memberOrphans: state.orphans }]];
    case 'read':
      return judged(state, rules, decide);
    case 'whole':
      return [[`run ${state.run} is opened as it is`, opened(state, slot.epoch)]];
    case 'loss':
      return [[`run ${state.run} is opened in epoch ${state.epoch}`, opened(state, state.epoch, rules)]];
    case 'untold':
      return [['history is told of the epoch', { ...state, opening: 'none', epoch: slot.epoch }]];
  }
}

function begun(state: State): State {
  return { ...state, opening: 'begun', gate: state.gate + 1, earlyMark: state.mark };
}

function judged(state: State, rules: Rules, decide: Decide): Step[] {
  const facts = factsOf(state, rules);
  const steps: Step[] = [];
  let found = decide(facts);
  if (found.word === 'wait') {
    found = decide({ ...facts, timedOut: true });
    if (found.word !== 'loss') throw new Error('an opening must end when the time is over');
  } else if (found.word === 'open') {
    return [['nothing was lost', { ...state, ...noOpening, opening: 'whole' }]];
  } else if (isUnfounded(state, facts)) {
    return [[`loss: ${found.reason}`, { ...state, fault: 'a loss where nothing was lost' }]];
  }
  const after: State = { ...state, ...noOpening, opening: 'loss' };
  if (rules.first) {
    const epoch = state.epoch + 1;
    steps.push([`loss: ${found.reason}. Epoch ${epoch} into history`, { ...after, epoch }]);
  } else {
    const { epoch } = slotOf(state.log);
    steps.push([
      `loss: ${found.reason}. Redis is opened first`,
      { ...opened(after, epoch + 1, rules), opening: 'untold' },
    ]);
  }
  return steps;
}

/** Whether a loss is found although nothing was cut off, every member lives, and no opening was interrupted. */
function isUnfounded({ harmed, epoch, log }: State, { history }: Facts): boolean {
  return !harmed && slotOf(log).epoch === epoch && history.enlisted.every(({ dead }) => !dead);
}

/** The facts of the one slot, a partition. Its seqs serve as stream ids. */
function factsOf(state: State, rules: Rules): Facts {
  const slot = slotOf(state.log);
  const isMember = (name: string): boolean =>
    rules.durable ? state.members.includes(name) : slot.enlisted.includes(name);
  const enlisted = [
    ...state.processes
      .filter(({ name, row }) => isMember(name) && (row || !rules.durable))
      .map(({ name, at }) => ({ id: name, dead: at === 'dead' || at === 'off' || at === 'left' })),
    ...Array.from({ length: state.memberOrphans }, (_, i) => ({ id: `orphan ${i}`, dead: true })),
  ].filter(({ dead }) => rules.missing || !dead);
  const reports = state.processes
    .filter(({ reported }) => reported > 0)
    .map(({ name, reported, reportedSeen }) => {
      const opening = rules.number ? reported : state.gate;
      return [name, { opening, partitions: new Map([['p0', `${reportedSeen}-0`]]), lost: [], short: false }] as const;
    });
  const archived = state.archived.at(-1);
  const mark = rules.mark ? (rules.marksLast ? state.mark : state.earlyMark) : 0;
  return {
    opening: state.gate,
    timedOut: false,
    history: {
      epoch: String(state.epoch),
      archived: new Map(archived === undefined ? [] : [['p0', `${archived.seq}-0`]]),
      slots: new Map([['p0', { gate: state.gate, mark }]]),
      enlisted: rules.report ? enlisted : [],
    },
    redis: {
      epoch: String(slot.epoch),
      opened: true,
      slots: new Map([['p0', { epoch: String(slot.epoch), mark: slot.mark, lastId: `${slot.seq}-0` }]]),
    },
    reports: new Map(rules.report ? reports : []),
  };
}

/** The slot is opened. In another epoch its seq goes on above all that Redis and history know of. */
function opened(state: State, epoch: number, rules?: Rules): State {
  const slot = slotOf(state.log);
  const known = Math.max(slot.seq, ...state.archived.map(({ seq }) => seq));
  const seq = known + jump * (rules?.gen === false ? 1 : epoch);
  const operation = `O${[state.run, state.gate, epoch, seq, state.mark].join()}`;
  // Reports stay where they are: a node that comes back may have old ones.
  return { ...state, log: written(state.log, operation), opening: 'none', harmed: false };
}
