import type { AmendAction, Amendment } from '../model/amendment.ts';
import type { DeadLetter } from '../model/dead-letter.ts';
import type { Way } from '../model/entry.ts';
import type { MessageClass } from '../model/model.ts';

/**
 * How far a consumer group of a message stream is with one entry. `pending`: read `attempts` times and not settled.
 * `lost`: Redis has since lost the stream, and with it the group's progress.
 */
export type GroupStep =
  | { state: 'settled' }
  | { state: 'unread' }
  | { state: 'lost' }
  | { state: 'pending'; reads: number; consumer: string; idleMs: number };

/**
 * Where a member has the message: at a position of its inbox, in a gap (history has it), cut or expired without a
 * record of its own, or not there yet. `unknown`: the fanout will not append it any more, and Redis has no record of
 * it. `unannounced`: a message of a large group never gets an inbox entry. The gap that announces it is made when a
 * device of the member next asks.
 */
export type InboxStep =
  | { state: 'held'; position: number }
  | { state: 'gap'; fromSeq: number; toSeq: number; position: number }
  | { state: 'gone' }
  | { state: 'not yet' }
  | { state: 'unknown' }
  | { state: 'unannounced' };

/**
 * One device of a member. `received` is null if no position tells. `gateway`: where it is connected now. `attempts`:
 * how often a redelivery job has tried, while there is one.
 */
export type DeviceStep = { device: string; received: boolean | null; gateway: string | null; attempts?: number };

/** `notifiedUpTo`: the inbox position up to which the webhook has been notified about this user. */
export type MemberStep = { user: string; inbox: InboxStep; devices: DeviceStep[]; notifiedUpTo?: number };

/** What an amendment is to history: `missing` if it has not come there, or is a dead letter. */
export type AmendsStep = {
  seq: number;
  action: AmendAction;
  version: number;
  state: 'in force' | 'superseded' | 'missing';
};

/**
 * The amendment in force of a message. `stored`: the block that holds the message has its body, and not an older one.
 */
export type AmendedStep = Omit<Amendment, 'conversation' | 'seq' | 'body'> & { stored: boolean };

/** Everything in the stores about one message, but for its body. Failures are in `deadLetters`, open or replayed. */
export type Trace = {
  id: string;
  partition: number;
  streamId: string;
  conversation: string;
  seq: number;
  sender: string;
  kind: string;
  class: MessageClass;
  /** The message's route; null if neither its entry nor the conversation tells any more. */
  way: Way | null;
  /** When it was accepted, ms since 1970. */
  at: number;
  /** The sending device, null when it came by HTTP or the entry is gone. */
  device: string | null;
  /** Whether the entry is still in the message stream. */
  inStream: boolean;
  fanout: GroupStep;
  archive: GroupStep;
  /** The block of history that holds it, or null. */
  history: { firstSeq: number; lastSeq: number } | null;
  /** Of an amendment: what it amends. */
  amends: AmendsStep | null;
  /** Of a message that history knows to be amended. */
  amended: AmendedStep | null;
  memberCount: number;
  /** At most the first hundred. */
  members: MemberStep[];
  deadLetters: DeadLetter[];
};

const moment = (at: number): string => new Date(at).toISOString();

function ofGroup(step: GroupStep): string {
  if (step.state === 'settled') return 'settled';
  if (step.state === 'unread') return 'not read yet';
  if (step.state === 'lost') return 'unknown, Redis has lost its state since';
  return `read ${step.reads} times by ${step.consumer}, ${step.idleMs} ms ago, not settled`;
}

function ofInbox(step: InboxStep): string {
  if (step.state === 'held') return `position ${step.position}`;
  if (step.state === 'gap') return `in the gap of seqs ${step.fromSeq}-${step.toSeq} at position ${step.position}`;
  if (step.state === 'unknown') return 'unknown to the inbox';
  if (step.state === 'unannounced')
    return 'not in the inbox, since the group is large: announced there when a device asks next';
  return step.state === 'gone' ? 'not in the inbox any more' : 'not in the inbox yet';
}

const ofEntry = ({ inStream, fanout }: Trace): string =>
  inStream ? 'in the stream' : fanout.state === 'lost' ? 'lost with the stream' : 'trimmed';

const ofWay = (way: Way | null): string =>
  way === 'large'
    ? ', published once to the gateways that follow the large group'
    : way === 'grown'
      ? ', the last one before the group is large'
      : '';

const ofDevice = ({ device, received, gateway, attempts }: DeviceStep): string =>
  [
    device,
    received === null ? '' : received ? 'has received' : 'has not received',
    gateway === null ? 'offline' : `online at ${gateway}`,
    attempts === undefined ? '' : `pushed again ${attempts} times`,
  ]
    .filter((part) => part !== '')
    .join(', ');

const ofHistory = (block: Trace['history']): string =>
  block === null ? 'no block holds it' : `block of seqs ${block.firstSeq}-${block.lastSeq}`;

const did: Record<AmendAction, string> = { recall: 'recalled', edit: 'edited' };

function ofAmends({ seq, action, version, state }: AmendsStep): string {
  const now =
    state === 'missing' ? 'history does not have it' : state === 'superseded' ? 'a newer one is in force' : state;
  return `seq ${seq}: ${action}, version ${version}; ${now}`;
}

const ofAmended = ({ action, by, at, version, amendSeq, stored }: AmendedStep): string =>
  `${did[action]} by ${by} ${moment(at)}, version ${version}, seq ${amendSeq}; ` +
  (stored ? 'no older body is stored' : 'an older body is still stored, and shown to nobody');

/** The trace in sentences, one line for each step. */
export function traceLines(trace: Trace): string[] {
  const { deadLetters: letters } = trace;
  return [
    `message    ${trace.id}  conversation ${trace.conversation}  seq ${trace.seq}  from ${trace.sender}` +
      `  kind ${trace.kind}  ${trace.class}`,
    `accepted   ${moment(trace.at)}  partition ${trace.partition}, entry ${trace.streamId} ${ofEntry(trace)}` +
      (trace.device === null ? '' : `, sent by device ${trace.device}`),
    `fanout     ${ofGroup(trace.fanout)}${ofWay(trace.way)}`,
    ...trace.members.flatMap(({ user, inbox, devices, notifiedUpTo }) => [
      `member     ${user}: ${ofInbox(inbox)}` +
        (notifiedUpTo === undefined ? '' : `, notified up to position ${notifiedUpTo}`),
      ...devices.map((device) => `  device   ${ofDevice(device)}`),
    ]),
    ...(trace.memberCount > trace.members.length
      ? [`           and ${trace.memberCount - trace.members.length} members more`]
      : []),
    `archive    ${ofGroup(trace.archive)}`,
    `history    ${ofHistory(trace.history)}`,
    ...(trace.amends === null ? [] : [`amends     ${ofAmends(trace.amends)}`]),
    ...(trace.amended === null ? [] : [`amended    ${ofAmended(trace.amended)}`]),
    ...letters.map(
      ({ id, reason, at, attempts, error, replayed }) =>
        `failure    ${reason} (${id}) ${moment(at)} after ${attempts} attempts: ${error}` +
        (replayed === undefined ? '' : `; replayed ${moment(replayed.at)}: ${replayed.effect}`),
    ),
  ];
}
