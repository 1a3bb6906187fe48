import type { Facts, Message } from './facts.ts';
import { membershipKind, sendOf } from './origins.ts';
import type { Report } from './report.ts';
import { acceptedOf, nameOf } from './sends.ts';
import type { Truth } from './truth.ts';

/** I2: seqs are dense, but for what a loss skipped. */
export function checkDensity(_facts: Facts, truth: Truth, report: Report): void {
  if (!truth.complete) return;
  for (const { id, messages, absent, line } of truth.conversations.values()) {
    if (absent.length > 0 && !truth.lossSeen) {
      const [{ fromSeq, toSeq }] = absent as [{ fromSeq: number; toSeq: number }];
      report.violation('I2', `${id} lacks the seqs ${fromSeq} to ${toSeq}, and nothing was lost`, line);
      continue;
    }
    const skipped = absent.toSorted((a, b) => a.fromSeq - b.fromSeq);
    let next = 1;
    let at = 0;
    for (const seq of messages.keys()) {
      while (next < seq) {
        const range = skipped[at];
        if (range === undefined || range.fromSeq > next) {
          report.violation(
            'I2',
            `${id} has nothing between seq ${next - 1} and ${seq}, and says of nothing that it is skipped`,
            line,
          );
          break;
        }
        next = Math.max(next, range.toSeq + 1);
        at += 1;
      }
      next = seq + 1;
    }
  }
}

/** I20: one id is one (conversation, seq), whoever saw it, and in whichever epoch. */
export function checkIds(facts: Facts, _truth: Truth, report: Report): void {
  const byPlace = new Map<string, { id: string; line: number }>();
  const byId = new Map<string, { place: string; line: number }>();
  const told = new Set<string>();
  const look = (conversation: string, seq: number, id: string, line: number): void => {
    const place = `${conversation} seq ${seq}`;
    const atPlace = byPlace.get(place);
    const ofId = byId.get(id);
    if (atPlace === undefined) byPlace.set(place, { id, line });
    else if (atPlace.id !== id && !told.has(`${place} ${id}`)) {
      told.add(`${place} ${id}`);
      report.violation('I20', `${place} was given twice: to ${atPlace.id} and to ${id}`, atPlace.line, line);
    }
    if (ofId === undefined) byId.set(id, { place, line });
    else if (ofId.place !== place && !told.has(`${id} ${place}`)) {
      told.add(`${id} ${place}`);
      report.violation('I20', `the id ${id} stands for ${ofId.place} and for ${place}`, ofId.line, line);
    }
  };
  const events = facts.sightings.map(({ message: { conversation, seq, id }, line }) => ({
    conversation,
    seq,
    id,
    line,
  }));
  for (const sends of facts.sends.values()) for (const send of sends) events.push(...acceptedOf(send));
  for (const { conversation, seq, id, line } of events.sort((a, b) => a.line - b.line))
    look(conversation, seq, id, line);
}

/** What amendments change, and what they say themselves, is compared by amendments.ts. */
const isAsSent = ({ amended, amends }: Message): boolean => amended === null && amends === null;

/** I5: a message is the same for everybody, on every path, and what was sent. */
export function checkContents(facts: Facts, truth: Truth, report: Report): void {
  const reference = new Map<string, { message: Message; line: number }>();
  const judged = new Set<string>();
  for (const { messages, line } of truth.conversations.values())
    for (const message of messages.values()) if (isAsSent(message)) reference.set(message.id, { message, line });
  for (const { message, line, path, user } of facts.sightings) {
    if (judged.has(message.hash)) continue;
    judged.add(message.hash);
    if (!isAsSent(message)) continue;
    const what = `seq ${message.seq} of ${message.conversation}, id ${message.id}`;
    const before = reference.get(message.id);
    if (before === undefined) reference.set(message.id, { message, line });
    // Another seq or conversation under this id is I20's.
    else if (before.message.hash !== message.hash && before.message.seq === message.seq) {
      report.violation('I5', `${what} differs by ${path} for ${user ?? 'a service'}`, before.line, line);
      continue;
    }
    if (message.kind === membershipKind) continue;
    const send = sendOf(facts, truth, message);
    if (send === null) continue;
    if (send.kind !== message.kind || send.class !== message.class || send.body !== message.body)
      report.violation('I5', `${what} is not what was sent as ${nameOf(send)}`, send.attempts[0]?.line, line);
  }
  for (const sends of facts.sends.values())
    for (const send of sends)
      for (const { id, seq, at, line } of acceptedOf(send)) {
        const seen = reference.get(id);
        if (seen !== undefined && seen.message.seq === seq && seen.message.at !== at)
          report.violation(
            'I5',
            `the answer to ${nameOf(send)} says at ${at}, the message ${seen.message.at}`,
            line,
            seen.line,
          );
      }
}
