import type { Model } from './explore.ts';
import { type Entry, type Slot, slotOf } from './gate-log.ts';
import { type Decide, noOpening, openingSteps, type Step } from './gate-opening.ts';
import { beginning, type Bounds, keyOf, type Process, type Rules, type Scenario, type State } from './gate-state.ts';
import { beginnings, written } from './log.ts';

/**
 * The gate over one slot, with one conversation. Gateways accept messages, the fanout hands them to a device, the
 * archive stores them. The node dies and comes back with a beginning of its log, as often as the scenario allows.
 * Processes die, start, leave, and are dismissed while they are paused. The verdict is the product's own.
 */
export function gate(scenario: Scenario, rules: Rules, decide: Decide): Model<State> {
  return {
    initial: [beginning(scenario, rules)],
    key: (state) => keyOf(state, rules),
    next: (state) => [
      ...state.processes.flatMap((one, i) => processSteps(state, one, i, rules)),
      ...(scenario.archive === true ? archiving(state, rules) : []),
      ...nodeSteps(state, scenario),
      ...openingSteps(state, rules, decide),
      ...openerDying(state),
    ],
    violated,
    resting: ({ run, log, opening, processes }) =>
      slotOf(log).open === run && opening === 'none' && processes.every(({ sending }) => sending === ''),
  };
}

function changed(state: State, i: number, changes: Partial<Process>): State {
  return { ...state, processes: state.processes.with(i, { ...state.processes[i]!, ...changes }) };
}

function spent(state: State, what: keyof Bounds): State {
  return { ...state, left: { ...state.left, [what]: state.left[what] - 1 } };
}

/** The log that a connection to this run writes to. Null: it is gone. */
function logOf(state: State, run: number): string | null {
  if (run === 0) return null;
  if (run === state.run) return state.log;
  return run === state.oldRun ? state.oldLog : null;
}

/** Whether a process calls the slot at the end of its connection. It may not know that it was dismissed. */
function mayUse({ at, run, least }: Process, slot: Slot, rules: Rules): boolean {
  const isServing = at === 'up' || at === 'lapsed';
  return isServing && (!rules.run || slot.open === run) && (!rules.least || slot.gate >= least);
}

function mayTell({ at }: Process, rules: Rules): boolean {
  return at === 'up' || (at === 'lapsed' && !rules.lapse);
}

function processSteps(state: State, one: Process, i: number, rules: Rules): Step[] {
  const log = logOf(state, one.run);
  const isFanout = one.name === 'F';
  return [
    ...(isFanout ? handingOut(state, one, i, log, rules) : accepting(state, one, i, log, rules)),
    ...living(state, one, i, rules),
    ...dying(state, one, i),
  ];
}

function accepting(state: State, one: Process, i: number, log: string | null, rules: Rules): Step[] {
  if (one.sending === '') {
    if (state.left.sends === 0 || log === null || !mayUse(one, slotOf(log), rules)) return [];
    const id = String.fromCodePoint('a'.codePointAt(0)! + state.left.sends - 1);
    return [
      [
        `${one.name} sends ${id} to run ${one.run}`,
        changed(spent(state, 'sends'), i, { sending: id, sendingRun: one.run }),
      ],
    ];
  }
  const { sending: id, sendingRun: run } = one;
  const ended = changed(state, i, { sending: '', sendingRun: 0 });
  const to = logOf(state, run);
  if (to === null) return [[`${id} of ${one.name}: the connection is gone, unknown`, ended]];
  if (rules.run && slotOf(to).open !== run)
    return [[`${id} of ${one.name} is refused: not open for run ${run}`, ended]];
  const longer = written(to, `M${id}`);
  const { seq, epoch } = slotOf(longer);
  const appended = run === state.run ? { ...ended, log: longer } : { ...ended, oldLog: longer, harmed: true };
  const steps: Step[] = [[`${id} is appended as ${seq}, ${one.name} does not hear of it`, appended]];
  const isConnected = one.run === run || one.old === run;
  if (isConnected && mayTell(one, rules)) {
    const accepted = [...state.accepted, { seq, id, epoch }];
    const seen = Math.max(one.seen, seq);
    steps.push([`${id} is appended as ${seq}, ${one.name} answers`, { ...changed(appended, i, { seen }), accepted }]);
  }
  return steps;
}

/** The fanout reads the next entry and hands it out. One whose seq the inbox has passed is taken for handed out. */
function handingOut(state: State, one: Process, i: number, log: string | null, rules: Rules): Step[] {
  if (log === null || !mayUse(one, slotOf(log), rules) || !mayTell(one, rules)) return [];
  const isNew = ({ seq, id }: Entry): boolean => !state.device.some((had) => had.seq === seq && had.id === id);
  const entry = slotOf(log).entries.find(isNew);
  if (entry === undefined) return [];
  const { seq, id } = entry;
  if (seq <= state.handedOut) return [[`F passes over ${seq}`, { ...state, fault: `${id} reaches no device` }]];
  const after = changed(state, i, { seen: Math.max(one.seen, seq) });
  return [[`F hands out ${id} as ${seq}`, { ...after, device: [...state.device, entry], handedOut: seq }]];
}

function living(state: State, one: Process, i: number, rules: Rules): Step[] {
  const { name, at } = one;
  const steps: Step[] = [];
  const slot = slotOf(state.log);
  const isOpen = slot.open === state.run;
  const up = { at: 'up', run: state.run, old: 0, least: state.gate } as const;
  switch (at) {
    case 'up':
      if (one.run !== state.run && (isOpen || !rules.run))
        steps.push([`${name} connects to run ${state.run}`, changed(state, i, { run: state.run, old: 0 })]);
      if (state.opening !== 'none' && state.opening !== 'untold' && one.reported < state.gate) {
        // A connection to the old master may stay open beside the new one.
        const old = !rules.close && one.run === state.oldRun ? one.run : 0;
        const report = { reported: state.gate, reportedSeen: one.seen };
        steps.push([`${name} reports ${one.seen}`, changed(state, i, { ...up, ...report, old })]);
      }
      if (state.left.leaves > 0 && one.sending === '') steps.push(...leaving(state, one, i, isOpen, rules));
      if (state.left.sweeps > 0 && one.row && isOpen) {
        const mark = Math.max(state.mark, slot.mark + 1);
        const swept = changed(spent(state, 'sweeps'), i, { at: 'lapsed', row: false });
        steps.push([`${name} is paused and dismissed`, { ...swept, log: written(state.log, 'B'), mark }]);
      }
      break;
    case 'lapsed':
      steps.push([`${name} enlists again`, changed(state, i, { ...up, row: true })]);
      break;
    case 'leaving':
      steps.push([
        `${name} has left: mark ${one.mark} into history`,
        { ...changed(state, i, { ...gone, at: 'left' }), mark: Math.max(state.mark, one.mark) },
      ]);
      break;
    case 'off':
    case 'dead':
      if (state.left.sweeps > 0 && one.row && (isOpen || !rules.markBehindGate)) {
        const swept = changed(spent(state, 'sweeps'), i, { row: false });
        const mark = Math.max(state.mark, slot.mark + 1);
        steps.push([`the row of ${name} is swept`, { ...swept, log: written(state.log, 'B'), mark }]);
      }
      if (state.left.starts > 0 && one.name !== 'F') steps.push(starting(state, one, i, rules));
      break;
    case 'enlisting':
      steps.push(...started(state, one, i, rules));
      break;
    case 'left':
      break;
  }
  return steps;
}

/** Nothing of these matters once a process is dead or has left. Its last report is still there. */
const gone = { row: false, run: 0, old: 0, least: 0, seen: 0, mark: 0 } as const;

function leaving(state: State, one: Process, i: number, isOpen: boolean, rules: Rules): Step[] {
  const isBehindGate = isOpen && one.run === state.run;
  if (rules.markBehindGate && !isBehindGate) return [];
  const after = spent(state, 'leaves');
  if (!rules.mark) {
    const log = rules.durable ? state.log : written(state.log, `L${one.name}`);
    return [[`${one.name} has left`, { ...changed(after, i, { ...gone, at: 'left' }), log }]];
  }
  const mark = slotOf(state.log).mark + 1;
  const label = `${one.name} leaves: mark ${mark} into run ${state.run}`;
  return [[label, { ...changed(after, i, { at: 'leaving', mark, run: 0, old: 0 }), log: written(state.log, 'B') }]];
}

/** A process that starts writes its row, then reads the number, and connects to a node that may be the old one. */
function starting(state: State, one: Process, i: number, rules: Rules): Step {
  const begun = { ...gone, at: 'enlisting', reported: 0, reportedSeen: 0 } as const;
  // The row of its former life stays, under another name.
  const isMember = state.members.includes(one.name);
  const after: State = {
    ...spent(state, 'starts'),
    orphans: state.orphans + (one.row ? 1 : 0),
    memberOrphans: state.memberOrphans + (isMember ? 1 : 0),
    members: state.members.filter((name) => name !== one.name),
  };
  if (!rules.rowFirst)
    return [`${one.name} starts and reads number ${state.gate}`, changed(after, i, { ...begun, least: state.gate })];
  if (rules.durable) return [`${one.name} starts and enlists`, changed(after, i, { ...begun, row: true })];
  const log = written(state.log, `R${one.name}`);
  return [`${one.name} starts and enlists in Redis`, { ...changed(after, i, { ...begun, row: true }), log }];
}

function started(state: State, one: Process, i: number, rules: Rules): Step[] {
  const least = rules.rowFirst ? state.gate : one.least;
  return [state.run, state.oldRun]
    .filter((run) => run > 0)
    .map((run) => [
      `${one.name} serves, connected to run ${run}`,
      changed(state, i, { at: 'up', row: true, run, least }),
    ]);
}

function dying(state: State, one: Process, i: number): Step[] {
  if (state.left.kills === 0 || one.at === 'off' || one.at === 'left' || one.at === 'dead') return [];
  return [[`${one.name} dies`, changed(spent(state, 'kills'), i, dead(one))]];
}

/** Another opener begins from the start. */
function openerDying(state: State): Step[] {
  if (state.left.openers === 0 || state.opening === 'none') return [];
  return [['the opener dies', { ...spent(state, 'openers'), ...noOpening }]];
}

function dead({ row }: Process): Partial<Process> {
  return { ...gone, at: 'dead', row, sending: '', sendingRun: 0 };
}

/** The archive reads the node while it is open. What it stores is in history at once. */
function archiving(state: State, rules: Rules): Step[] {
  const { open, entries } = slotOf(state.log);
  if (rules.run && open !== state.run) return [];
  const last = state.archived.at(-1)?.seq ?? 0;
  const entry = entries.find(({ seq }) => seq > last);
  if (entry === undefined) return [];
  return [[`${entry.id} is archived as ${entry.seq}`, { ...state, archived: [...state.archived, entry] }]];
}

function nodeSteps(state: State, { oldMaster = false, power = false }: Scenario): Step[] {
  const steps: Step[] = [];
  const { run } = state;
  if (state.left.crashes > 0) {
    for (const log of beginnings(state.log)) {
      const after: State = {
        ...spent(state, 'crashes'),
        run: run + 1,
        log,
        oldRun: oldMaster ? run : 0,
        oldLog: oldMaster ? state.log : '',
        ...noOpening,
        harmed: state.harmed || log !== state.log,
      };
      const label = `comes back as run ${run + 1} with '${log}' of '${state.log}'`;
      steps.push([`the node ${label}`, after]);
      if (!power || log === state.log) continue;
      const processes = state.processes.map((one) =>
        one.at === 'off' || one.at === 'left' ? one : { ...one, ...dead(one) },
      );
      steps.push([`everything dies, the node ${label}`, { ...after, processes }]);
    }
  }
  const isOldUsed = state.processes.some((one) => one.run === state.oldRun || one.old === state.oldRun);
  if (state.oldRun > 0 && !isOldUsed)
    steps.push(['the old master is gone for all', { ...state, oldRun: 0, oldLog: '' }]);
  return steps;
}

function violated(state: State): string | null {
  const { accepted, device, archived, log, run, epoch, fault } = state;
  if (fault !== '') return fault;
  const given = new Map<number, string>();
  for (const { seq, id } of [...device, ...archived, ...accepted]) {
    if ((given.get(seq) ?? id) !== id) return 'a seq was given twice';
    given.set(seq, id);
  }
  const slot = slotOf(log);
  if (slot.open !== run || slot.epoch !== epoch) return null;
  const there = new Set([...slot.entries, ...archived].map(({ id }) => id));
  const isLost = accepted.some((one) => one.epoch === epoch && !there.has(one.id));
  return isLost ? 'a message was lost, and nobody is told' : null;
}
