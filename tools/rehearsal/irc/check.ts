import { membershipKind, type MembershipBody, type Message, type SeqRange } from '../../../shared/model/model.ts';
import { checkWalk, type HistoryWalk } from './check-history.ts';
import { covers, membershipsOf, seqsOf, type Memberships, type Visible } from './spans.ts';

/**
 * Compares the promises to senders with the records of every device and every reader of history. Pure, and independent
 * of the client's workings: it judges only raw records.
 */
export type Sent = { sender: string; clientId: string; kind: string; bodyText: string; id: string; seq: number };

/**
 * One item as received; without a position its conversation is too large for inboxes. `text` is the whole message as
 * JSON.
 */
export type Arrival = { epoch: string; position: number | null; seq: number; text: string };

export type DeviceRecord = {
  user: string;
  device: string;
  /** In order of arrival, repetitions included. */
  arrivals: Arrival[];
  /** Accepted seqs that this device sent itself. */
  own: Set<number>;
  /** The seqs that the server announced as absent from the inbox. */
  gaps: SeqRange[];
  /** The seqs that it then requested from history, because it did not have them. */
  asked: SeqRange[];
  /** The responses of history to those requests, as JSON. */
  filled: Map<number, string>;
  /** Violations that the client itself noticed. */
  violations: string[];
};

export type Evidence = {
  sent: Sent[];
  /** Founding members; the first one is the witness, who sees everything. */
  creators: string[];
  /** The membership changes that were made, by user, in order. */
  changes: Map<string, MembershipBody['action'][]>;
  /** The members and their joinedSeq, from the API at the end. */
  members: { user: string; joinedSeq: number }[];
  /** The conversation as the witness reads it, oldest first. */
  messages: Message[];
  lastSeq: number;
  devices: DeviceRecord[];
  walks: HistoryWalk[];
};

export type DiscrepancyKind =
  | 'lost'
  | 'duplicated'
  | 'reordered'
  | 'leaked'
  | 'differs'
  | 'unknown'
  | 'membership'
  | 'history'
  | 'client';

export type Discrepancy = { kind: DiscrepancyKind; who: string; seq?: number; detail: string };

type Report = (kind: DiscrepancyKind, who: string, detail: string, seq?: number) => void;

/** Names the field in which two versions of a message differ. */
function difference(expected: string, found: string): string {
  const [left, right] = [JSON.parse(expected), JSON.parse(found)] as [Record<string, unknown>, Record<string, unknown>];
  const fields = new Set([...Object.keys(left), ...Object.keys(right)]);
  const differing = [...fields].filter((field) => JSON.stringify(left[field]) !== JSON.stringify(right[field]));
  return differing.length === 0 ? 'order of fields' : differing.join(', ');
}

function checkSends(evidence: Evidence, bySeq: Map<number, Message>, report: Report): void {
  const sentBy = new Map(evidence.sent.map((sent) => [`${sent.sender}/${sent.clientId}`, sent]));
  const stored = new Map<string, number>();
  for (const sent of evidence.sent) {
    const message = bySeq.get(sent.seq);
    if (message === undefined || message.id !== sent.id) {
      report(
        'lost',
        sent.sender,
        `accepted as ${sent.id}, in the conversation there is ${message?.id ?? 'nothing'}`,
        sent.seq,
      );
      continue;
    }
    const { sender, clientId, kind, body } = message;
    if (
      sender !== sent.sender ||
      clientId !== sent.clientId ||
      kind !== sent.kind ||
      JSON.stringify(body) !== sent.bodyText
    ) {
      report('differs', sent.sender, 'stored with another sender, clientId, kind or body than was sent', sent.seq);
    }
  }
  for (const message of evidence.messages) {
    if (message.kind === membershipKind) continue;
    const key = `${message.sender}/${message.clientId}`;
    if (!sentBy.has(key)) report('unknown', message.sender, 'nobody got this message accepted', message.seq);
    const before = stored.get(key);
    if (before !== undefined)
      report('duplicated', message.sender, `one send, also stored as seq ${before}`, message.seq);
    stored.set(key, message.seq);
  }
}

function checkMemberships(evidence: Evidence, memberships: Memberships, report: Report): void {
  const users = new Set([...evidence.changes.keys(), ...memberships.changes.keys()]);
  for (const user of users) {
    const made = (evidence.changes.get(user) ?? []).join(' ');
    const found = (memberships.changes.get(user) ?? []).join(' ');
    if (made !== found)
      report('membership', user, `changes made: ${made || 'none'}; in the conversation: ${found || 'none'}`);
  }
  const told = new Map(evidence.members.map(({ user, joinedSeq }) => [user, joinedSeq]));
  for (const user of new Set([...told.keys(), ...memberships.present.keys()])) {
    const [api, conversation] = [told.get(user), memberships.present.get(user)];
    if (api !== conversation)
      report('membership', user, `joinedSeq ${api ?? '-'} by the API, ${conversation ?? '-'} by the conversation`);
  }
}

const placed = (position: number | null): string =>
  position === null ? 'without a position' : `at position ${position}`;

/**
 * An inbox may deliver a position repeatedly until it is received; an item without a position comes once. A live seq
 * may also come from history if the device requested it: a gap can be announced before or after its seqs arrive.
 */
function checkDevice(record: DeviceRecord, visible: Visible, texts: Map<number, string>, report: Report): void {
  const who = `${record.user}/${record.device}`;
  const placeOf = new Map<string, number | null>();
  const seqAt = new Map<string, number>();
  const got = new Set<number>(record.own);
  const arrived = new Set<number>();
  const leaked = new Set<number>();
  let highest = 0;
  let epoch: string | undefined;

  const compare = (seq: number, text: string): void => {
    if (!covers(visible, seq)) {
      if (!leaked.has(seq)) report('leaked', who, 'not of its time of membership', seq);
      leaked.add(seq);
    }
    const expected = texts.get(seq);
    if (expected === undefined) report('unknown', who, 'came, but is not in the conversation', seq);
    else if (expected !== text)
      report('differs', who, `differs from the conversation in ${difference(expected, text)}`, seq);
  };

  for (const arrival of record.arrivals) {
    const { seq, position, text } = arrival;
    if (arrival.epoch !== epoch) highest = 0;
    epoch = arrival.epoch;
    compare(seq, text);
    const before = placeOf.get(`${epoch}/${seq}`);
    if (before !== undefined && (before !== position || position === null))
      report('duplicated', who, `came ${placed(before)}, and again ${placed(position)}`, seq);
    placeOf.set(`${epoch}/${seq}`, position);
    if (position !== null) {
      const other = seqAt.get(`${epoch}/${position}`);
      if (other !== undefined && other !== seq)
        report('differs', who, `position ${position} held seq ${other} before`, seq);
      seqAt.set(`${epoch}/${position}`, seq);
    }
    if (!arrived.has(seq) && seq < highest) report('reordered', who, `came first after seq ${highest}`, seq);
    highest = Math.max(highest, seq);
    arrived.add(seq);
    got.add(seq);
  }
  for (const [seq, text] of record.filled) {
    compare(seq, text);
    if (arrived.has(seq) && !covers(record.asked, seq))
      report('duplicated', who, 'came as an item, and from history without being asked for', seq);
    got.add(seq);
  }
  for (const seq of seqsOf(visible)) {
    if (got.has(seq) || !texts.has(seq)) continue;
    const announced = covers(record.gaps, seq);
    report(
      'lost',
      who,
      announced ? 'announced as a gap, and history did not give it' : 'neither delivered nor announced',
      seq,
    );
  }
  for (const violation of record.violations) report('client', who, violation);
}

/** Every broken promise; empty if all is well. */
export function check(evidence: Evidence): Discrepancy[] {
  const found: Discrepancy[] = [];
  const report: Report = (kind, who, detail, seq) => {
    found.push({ kind, who, detail, ...(seq === undefined ? {} : { seq }) });
  };
  const bySeq = new Map(evidence.messages.map((message) => [message.seq, message]));
  const texts = new Map(evidence.messages.map((message) => [message.seq, JSON.stringify(message)]));
  const memberships = membershipsOf(evidence.messages, evidence.creators, evidence.lastSeq);
  checkSends(evidence, bySeq, report);
  checkMemberships(evidence, memberships, report);
  for (const record of evidence.devices) checkDevice(record, memberships.visible.get(record.user) ?? [], texts, report);
  for (const walk of evidence.walks) {
    checkWalk(walk, memberships.visible.get(walk.user) ?? [], texts, (detail, seq) =>
      report('history', walk.user, detail, seq),
    );
  }
  return found;
}
