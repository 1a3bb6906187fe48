import type { Device, Facts, Sighting } from './facts.ts';
import { sentBy } from './own-messages.ts';
import type { Inboxes } from './positions.ts';
import type { Report } from './report.ts';
import { covers, type Truth } from './truth.ts';

/** I7, first half: in each conversation, what a device is given for the first time comes by rising seq. */
export function checkDeviceOrder(facts: Facts, report: Report): void {
  const isOwn = sentBy(facts);
  for (const device of facts.devices.values()) {
    const who = `${device.user}/${device.device}`;
    const seen = new Set<string>();
    const highest = new Map<string, Sighting>();
    for (const { items } of device.connections)
      for (const item of items) {
        const { message, epoch, path, line } = item;
        // A device that asks for pages while messages are pushed to it reads two orders.
        const key = `${epoch} ${path} ${message.id}`;
        if (seen.has(key)) continue;
        seen.add(key);
        if (isOwn(device, message)) continue;
        const lane = `${epoch} ${path} ${message.conversation}`;
        const before = highest.get(lane);
        if (before === undefined || before.message.seq < message.seq) highest.set(lane, item);
        else {
          report.counts.reordered += 1;
          report.violation(
            'I7',
            `${who} got seq ${message.seq} of ${message.conversation} after seq ${before.message.seq}`,
            before.line,
            line,
          );
        }
      }
  }
}

/** Ranges of seqs, told by gaps; asked for single seqs in rising order. */
function createRanges(ranges: { fromSeq: number; toSeq: number }[]): (seq: number) => boolean {
  const sorted = ranges.toSorted((a, b) => a.fromSeq - b.fromSeq);
  let next = 0;
  let upTo = 0;
  return (seq) => {
    while (sorted[next] !== undefined && sorted[next]!.fromSeq <= seq) upTo = Math.max(upTo, sorted[next++]!.toSeq);
    return seq <= upTo;
  };
}

/** Whether a device must have everything: it was connected at the end, or read its inbox to the end after all sends. */
function mustBeComplete(facts: Facts, { connections }: Device): boolean {
  const end = facts.drained?.line ?? facts.dumpBegun;
  if (end === null || facts.sendingStopped === null) return false;
  const last = connections.findLast(({ opened }) => opened < end);
  if (last === undefined || last.welcome === null) return false;
  if (last.mode === 'push') return last.closed === null || last.closed > end;
  return connections.some(({ readToEnd }) => readToEnd !== null && readToEnd > facts.sendingStopped!);
}

/**
 * I7, second half: at the end each device has every message that its user may see, or was told of it by a gap. I11:
 * what no inbox holds must have been told.
 */
export function checkCompleteness(facts: Facts, truth: Truth, inboxes: Inboxes, report: Report): void {
  if (!truth.complete || facts.run?.mode === 'safety') return;
  const isOwn = sentBy(facts);
  const epoch = facts.epochs.at(-1)?.epoch ?? '';
  for (const device of facts.devices.values()) {
    if (!mustBeComplete(facts, device)) continue;
    const had = new Set<string>();
    const told = new Map<string, { fromSeq: number; toSeq: number }[]>();
    for (const { items, gaps } of device.connections) {
      for (const { message } of items) had.add(message.id);
      for (const gap of gaps) {
        const ranges = told.get(gap.conversation) ?? [];
        told.set(gap.conversation, ranges);
        ranges.push(gap);
      }
    }
    const inbox = inboxes(device.user, epoch);
    for (const conversation of truth.conversations.values()) {
      const spans = conversation.spans?.get(device.user);
      if (spans === undefined) continue;
      const isTold = createRanges(told.get(conversation.id) ?? []);
      for (const [seq, message] of conversation.messages) {
        if (!covers(spans, seq) || isTold(seq) || had.has(message.id) || isOwn(device, message)) continue;
        report.counts.lost += 1;
        const standing = inbox?.of.get(message.id);
        const what = `${device.user}/${device.device} never got seq ${seq} of ${conversation.id}, id ${message.id}`;
        if (standing === undefined)
          report.violation('I11', `${what}; no inbox holds it, and no gap told of it`, conversation.line);
        else report.violation('I7', `${what}, which stands in its inbox at ${standing.position}`, standing.line);
      }
    }
  }
}

/** I11: what a user may see is in the history that the user can read. */
export function checkOwnHistory(facts: Facts, truth: Truth, report: Report): void {
  if (!truth.complete) return;
  const read = new Map<string, { seqs: Set<number>; line: number }>();
  for (const { conversation, user, seqs, line, final } of facts.pages) {
    if (!final || user === null) continue;
    const key = `${user} ${conversation}`;
    const mine = read.get(key) ?? { seqs: new Set(), line };
    read.set(key, mine);
    for (const seq of seqs) mine.seqs.add(seq);
    mine.line = line;
  }
  for (const [key, { seqs, line }] of read) {
    const [user, id] = key.split(' ') as [string, string];
    const conversation = truth.conversations.get(id);
    const spans = conversation?.spans?.get(user);
    if (conversation === undefined || spans === undefined) continue;
    for (const seq of conversation.messages.keys())
      if (covers(spans, seq) && !seqs.has(seq))
        report.violation(
          'I11',
          `${user} may see seq ${seq} of ${id}, and its history lacks it`,
          line,
          conversation.line,
        );
  }
}
