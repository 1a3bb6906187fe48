import type { Facts, Report, Verdict } from '../../shared/recovery/verdict.ts';
import type { Model } from './explore.ts';
import { beginnings, written } from './log.ts';
import { holds, type Inbox, inboxOf } from './shard-log.ts';

/**
 * The inbox side of the gate. Bob's inbox is on a node that may lose the end of its log. Two messages of two
 * partitions on other nodes are appended to it, settled, archived and trimmed, in any order. A partition may lose a
 * message while the shard is whole. In the end bob's device must have every message, or a gap over it, unless its
 * sender was told of the loss.
 */
export type Rules = {
  /** The shard is compared before it is opened, and nothing uses it before. */
  gate: boolean;
  /** What gateways have passed on is evidence: a script may push and its answer be lost. */
  gateway: boolean;
  /** The answer "skipped" is evidence: it names the head. */
  skip: boolean;
  /** After a loss of the shard, bob is loaded from history before anything is read. */
  load: boolean;
  /** After a loss elsewhere too. */
  loads: boolean;
  /** After a loss of the shard, the fanout goes back to the oldest entry of every partition. */
  rewind: boolean;
  /** Positions after a loss are above all that can have been given. */
  jump: boolean;
};
export const all: Rules = {
  gate: true,
  gateway: true,
  skip: true,
  load: true,
  loads: true,
  rewind: true,
  jump: true,
};

export type Scenario = {
  crashes: number;
  /** How many messages a partition may lose. */
  losses: number;
  disconnects: number;
  /** Whether bob's client names the epoch of its position. */
  namesEpoch: boolean;
};

/** A message's way: `call` while the fanout's script runs, `gone` once it is trimmed, `lost` with its stream. */
type Stage = 'pending' | 'call' | 'answered' | 'settled' | 'gone' | 'lost';
type Evidence = { line: number; head: number };
type State = {
  run: number;
  log: string;
  stages: Readonly<Record<string, Stage>>;
  archived: readonly string[];
  device: { connected: boolean; sent: number; position: number; epoch: number; got: readonly string[] };
  fanout: Evidence;
  gateway: Evidence;
  /** History's. */
  epoch: number;
  fault: string;
  left: { crashes: number; losses: number; disconnects: number };
};
type Step = readonly [label: string, state: State];

const messages = ['a', 'c'];
const jump = 10;

export function shard(scenario: Scenario, rules: Rules, decide: (facts: Facts) => Verdict): Model<State> {
  const { crashes, losses, disconnects } = scenario;
  const initial: State = {
    run: 1,
    log: '',
    stages: Object.fromEntries(messages.map((message) => [message, 'pending'])),
    archived: [],
    device: { connected: true, sent: 0, position: 0, epoch: 0, got: [] },
    fanout: { line: 0, head: 0 },
    gateway: { line: 0, head: 0 },
    epoch: 0,
    fault: '',
    left: { crashes, losses, disconnects },
  };
  return {
    initial: [initial],
    key: keyOf,
    next: (state) => [
      ...messages.flatMap((message) => messageSteps(state, message, rules)),
      ...deviceSteps(state, scenario, rules),
      ...nodeSteps(state),
      ...openingSteps(state, rules, decide),
    ],
    violated: ({ fault }) => (fault === '' ? null : fault),
    resting: ({ stages, archived, device }) =>
      messages.every(
        (message) => device.got.includes(message) || (stages[message] === 'lost' && !archived.includes(message)),
      ),
  };
}

function keyOf({ run, log, stages, archived, device, fanout, gateway, epoch, fault, left }: State): string {
  const { connected, sent, position, got } = device;
  return [
    run,
    log,
    Object.values(stages).join(),
    archived.toSorted().join(''),
    `${connected ? 'c' : ''}${sent}.${position}.${device.epoch}${got.toSorted().join('')}`,
    `${fanout.line}.${fanout.head}`,
    `${gateway.line}.${gateway.head}`,
    epoch,
    fault,
    Object.values(left).join(),
  ].join('|');
}

function mayUse({ run }: State, inbox: Inbox, rules: Rules): boolean {
  return inbox.open === run || !rules.gate;
}

/** Heads are compared with those of the same line only: after a loss they begin far above. */
function seen(known: Evidence, { line }: Inbox, head: number): Evidence {
  return { line, head: known.line === line ? Math.max(known.head, head) : head };
}

function messageSteps(state: State, message: string, rules: Rules): Step[] {
  const inbox = inboxOf(state.log);
  const stage = state.stages[message]!;
  const at = (next: Stage): State => ({ ...state, stages: { ...state.stages, [message]: next } });
  const steps: Step[] = [];
  if (stage === 'pending' && mayUse(state, inbox, rules)) steps.push([`the fanout appends ${message}`, at('call')]);
  if (stage === 'call') steps.push(...appending(state, message, inbox, at, rules));
  if (stage === 'answered') steps.push([`${message} is settled`, at('settled')]);
  const isArchived = state.archived.includes(message);
  if (!isArchived && stage !== 'lost')
    steps.push([`${message} is archived`, { ...state, archived: [...state.archived, message] }]);
  if (stage === 'settled' && isArchived) steps.push([`${message} is trimmed`, at('gone')]);
  if (state.left.losses > 0 && (stage === 'pending' || stage === 'answered') && inbox.open === state.run) {
    // Of the partition nothing more is modelled: its loss is found, and everybody is told of the next epoch.
    const epoch = state.epoch + 1;
    const after: State = { ...at('lost'), epoch, log: written(state.log, `N${epoch}`), device: off(state) };
    const left = { ...state.left, losses: state.left.losses - 1 };
    steps.push([`a partition loses ${message}: epoch ${epoch}`, { ...after, left }]);
  }
  return steps;
}

function appending(state: State, message: string, inbox: Inbox, at: (next: Stage) => State, rules: Rules): Step[] {
  if (!mayUse(state, inbox, rules)) return [[`append ${message}: closed`, at('pending')]];
  if (holds(inbox, message)) {
    const fanout = rules.skip ? seen(state.fanout, inbox, inbox.head) : state.fanout;
    return [[`append ${message}: skipped, the head is ${inbox.head}`, { ...at('answered'), fanout }]];
  }
  const log = written(state.log, `A${message}`);
  const position = inbox.head + 1;
  const { device } = state;
  const isNext = device.connected && device.sent === position - 1 && device.epoch === inbox.epoch;
  const pushed = {
    gateway: seen(state.gateway, inbox, position),
    device: { ...device, sent: position, position, got: [...device.got, message] },
  };
  return [true, false].flatMap((isHeard) => {
    const fanout = isHeard ? seen(state.fanout, inbox, position) : state.fanout;
    const after: State = { ...at(isHeard ? 'answered' : 'pending'), log, fanout };
    const label = `append ${message} at ${position}${isHeard ? '' : ', the answer is lost'}`;
    const steps: Step[] = [[`${label}, the push is lost`, after]];
    if (isNext) steps.push([`${label}, pushed to the device`, { ...after, ...pushed }]);
    return steps;
  });
}

function off({ device }: State): State['device'] {
  return { ...device, connected: false, sent: 0 };
}

function deviceSteps(state: State, { namesEpoch }: Scenario, rules: Rules): Step[] {
  const { device, left } = state;
  const inbox = inboxOf(state.log);
  const steps: Step[] = [];
  if (device.connected && left.disconnects > 0)
    steps.push([
      'the device disconnects',
      { ...state, device: off(state), left: { ...left, disconnects: left.disconnects - 1 } },
    ]);
  if (!mayUse(state, inbox, rules)) return steps;
  if (!device.connected) {
    if ((inbox.unloaded && rules.load) || (inbox.behind && rules.loads)) {
      const missing = state.archived.filter((message) => !holds(inbox, message));
      const log = [...missing.map((message) => `G${message}`), 'L'].reduce(written, state.log);
      return [...steps, [`bob is loaded: gaps over ${missing.join() || 'nothing'}`, { ...state, log }]];
    }
    const isReset = (namesEpoch && device.epoch !== inbox.epoch) || device.position > inbox.head;
    steps.push(reading(state, inbox, isReset ? 0 : device.position, `hello at ${device.position}`));
  } else if (device.sent < inbox.head) {
    steps.push(reading(state, inbox, device.sent, 'the gateway compares heads'));
  }
  return steps;
}

/** The device gets everything above a position, and what is said of gaps. */
function reading(state: State, inbox: Inbox, above: number, label: string): Step {
  const { head, epoch, entries } = inbox;
  const found = entries.filter(({ position }) => position > above).map(({ message }) => message);
  const got = [...new Set([...state.device.got, ...found])];
  const device = { connected: true, sent: head, position: head, epoch, got };
  return [
    `${label}: gets ${found.join() || 'nothing'}`,
    { ...state, device, gateway: seen(state.gateway, inbox, head) },
  ];
}

function nodeSteps(state: State): Step[] {
  if (state.left.crashes === 0) return [];
  const run = state.run + 1;
  const left = { ...state.left, crashes: state.left.crashes - 1 };
  return beginnings(state.log).map((log) => [
    `the shard comes back with '${log}' of '${state.log}'`,
    { ...state, run, log, device: off(state), left },
  ]);
}

function openingSteps(state: State, rules: Rules, decide: (facts: Facts) => Verdict): Step[] {
  const inbox = inboxOf(state.log);
  if (!rules.gate || inbox.open === state.run) return [];
  const found = decide(factsOf(state, inbox, rules));
  if (found.word === 'wait') throw new Error('everybody has reported');
  if (found.word === 'open')
    return [['opened: nothing was lost', { ...state, log: written(state.log, `o${state.run}`) }]];
  const epoch = state.epoch + 1;
  const log = written(state.log, `O${state.run},${epoch},${rules.jump ? jump * epoch : 0}`);
  const isBack = (stage: Stage): boolean => rules.rewind && (stage === 'settled' || stage === 'answered');
  const stages = Object.fromEntries(
    Object.entries(state.stages).map(([message, stage]) => [message, isBack(stage) ? 'pending' : stage]),
  );
  return [[`opened in epoch ${epoch}: ${found.reason}`, { ...state, epoch, log, stages }]];
}

/** What the fanout and the gateway have seen of the shard. Both live, and report at once. */
function factsOf({ epoch, fanout, gateway }: State, inbox: Inbox, rules: Rules): Facts {
  const report = ({ line, head }: Evidence): Report => ({
    opening: 1,
    partitions: new Map(),
    lost: line === inbox.line && head > inbox.head ? ['i0'] : [],
    short: false,
  });
  return {
    opening: 1,
    timedOut: false,
    history: {
      epoch: String(epoch),
      archived: new Map(),
      slots: new Map([['i0', { gate: 1, mark: 0 }]]),
      enlisted: ['fanout', 'gateway'].map((id) => ({ id, dead: false })),
    },
    redis: {
      epoch: String(inbox.epoch),
      opened: true,
      slots: new Map([['i0', { epoch: String(inbox.epoch), mark: 0, lastId: null }]]),
    },
    reports: new Map([
      ['fanout', report(fanout)],
      ['gateway', report(rules.gateway ? gateway : { line: inbox.line, head: 0 })],
    ]),
  };
}
