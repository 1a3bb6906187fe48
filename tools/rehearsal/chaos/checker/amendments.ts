import type { Amend, AmendOutcome, Facts, Message } from './facts.ts';
import type { Report } from './report.ts';
import { amendmentKind } from './sightings.ts';
import { covers, type Truth } from './truth.ts';

/** An amendment that the final state holds. */
type Kept = { amend: Amend; line: number; answered: number; message: Message };

type Answer = Extract<AmendOutcome, { kind: 'amended' }>;

const answersOf = ({ attempts }: Amend): Answer[] =>
  attempts.flatMap(({ outcome }) => (outcome?.kind === 'amended' ? [outcome] : [])).sort((a, b) => a.line - b.line);

/** The amendments of each message that are stored, by rising seq, by `<conversation> <seq>` of the message. */
function keptOf(facts: Facts, truth: Truth): Map<string, Kept[]> {
  const found = new Map<string, Kept[]>();
  for (const { messages } of truth.conversations.values())
    for (const message of messages.values()) {
      const amend = facts.amends.get(`${message.sender} ${message.clientId}`);
      if (message.amends === null || amend === undefined) continue;
      const answered = answersOf(amend).find(({ amendSeq }) => amendSeq === message.seq)?.line ?? Infinity;
      const key = `${message.conversation} ${message.amends.seq}`;
      found.set(key, [...(found.get(key) ?? []), { amend, line: amend.attempts[0]!.line, answered, message }]);
    }
  return found;
}

/**
 * I1, I4: an amendment that was answered is stored, once. I5: what a message reads at the end is what its newest
 * amendment said. I14: a recall is the end of it.
 */
export function checkAmends(facts: Facts, truth: Truth, report: Report): void {
  for (const amend of facts.amends.values()) {
    const answers = answersOf(amend);
    if (answers.length > 0) report.counts.amended += 1;
    if (!truth.complete || answers.length === 0) continue;
    const { by, clientId, conversation, seq, action } = amend;
    const what = `${action} ${clientId} by ${by} of seq ${seq} of ${conversation}`;
    const last = answers.at(-1)!;
    const stored = truth.stored(by, clientId, conversation);
    if (stored.length > 1) {
      report.counts.duplicated += 1;
      report.violation('I1', `${what} is stored ${stored.length} times`, last.line);
    }
    // Whose message was lost as well cannot amend it again. What a loss took is its sender's to repeat.
    if (stored.length === 0 && !truth.lossSeen) {
      // An edit that changes nothing is answered with the amendment in force.
      const inForce = truth.conversations.get(conversation)?.messages.get(last.amendSeq);
      if (inForce?.amends?.seq === seq) continue;
      report.counts.lost += 1;
      report.violation('I1', `lost: ${what} was answered as seq ${last.amendSeq}, and is nowhere`, last.line);
    }
    if (!truth.lossSeen && new Set(answers.map(({ amendSeq }) => amendSeq)).size > 1)
      report.violation('I4', `${what} has two answers`, ...answers.map(({ line }) => line));
  }
  if (!truth.complete) return;
  for (const [key, kept] of keptOf(facts, truth)) {
    const [id, seq] = key.split(' ') as [string, string];
    const target = truth.conversations.get(id)!.messages.get(Number(seq));
    const newest = kept.at(-1)!;
    const what = `seq ${seq} of ${id}`;
    const ended = kept.findIndex(({ message }) => message.amends!.action === 'recall');
    if (ended !== -1 && ended < kept.length - 1)
      report.violation('I14', `${what} was amended after its recall`, kept[ended]!.line, newest.line);
    if (target === undefined) continue;
    const reads = target.amended?.amendSeq ?? 0;
    if (reads !== newest.message.seq)
      report.violation(
        'I5',
        `${what} reads as of amendment ${reads} at the end, and the newest is ${newest.message.seq}`,
        newest.line,
        truth.conversations.get(id)!.line,
      );
    else if (target.body !== newest.amend.body)
      report.violation('I5', `${what} does not read as its amendment ${reads} said`, newest.line);
  }
}

/**
 * I14: after a recall or an edit was answered, nobody who asks history then gets an older body. Inboxes follow a moment
 * behind: there nobody who was given the amendment gets an older body after it. At the end no path gives one.
 */
export function checkAmendments(facts: Facts, truth: Truth, report: Report): void {
  const kept = keptOf(facts, truth);
  if (kept.size === 0) return;
  /** Of each user and message the amendments that an inbox gave, with the first line in which it did. */
  const given = new Map<string, { line: number; amendSeq: number }[]>();
  for (const { message, user, line, path } of facts.sightings) {
    if (message.amends === null || user === null || path === 'history') continue;
    const key = `${user} ${message.conversation} ${message.amends.seq}`;
    const before = given.get(key) ?? [];
    given.set(key, before);
    before.push({ line, amendSeq: message.seq });
  }
  for (const { message, asked, line, path, user, final } of facts.sightings) {
    const amendments = kept.get(`${message.conversation} ${message.seq}`);
    if (amendments === undefined) continue;
    if (message.amended !== null && message.amended.amendSeq === 0) continue;
    const shown = message.amended?.amendSeq ?? 0;
    const strictly = path === 'history' || final;
    const spans = user === null ? null : truth.conversations.get(message.conversation)?.spans?.get(user);
    // Who left before an amendment is shown none of it, and no older body either.
    const newest = strictly
      ? amendments.findLast(({ answered }) => answered < asked)
      : amendments.findLast(({ message: { seq } }) =>
          given
            .get(`${user} ${message.conversation} ${message.seq}`)
            ?.some((one) => one.amendSeq === seq && one.line < asked),
        );
    if (newest === undefined || shown >= newest.message.seq) continue;
    const isFormer = spans !== null && spans !== undefined && !covers(spans, newest.message.seq);
    report.counts.resurfaced += 1;
    report.violation(
      'I14',
      `seq ${message.seq} of ${message.conversation} was amended (${newest.amend.action}), and ` +
        `${user ?? 'a service'}${isFormer ? ', a former member,' : ''} got an older body by ${path}`,
      newest.line,
      line,
    );
  }
}

/**
 * I5: an amended text is the same bytes on every path. I9: nobody is shown the body of an amendment of a message that
 * is not theirs to see, or the body that a message got by an amendment that is not.
 */
export function checkAmendedTexts(facts: Facts, truth: Truth, report: Report): void {
  const reference = new Map<string, { hash: string; line: number }>();
  const judged = new Set<string>();
  for (const { message, line, user, path } of facts.sightings) {
    const { id, conversation, seq, amended, amends } = message;
    if (amended === null && message.kind !== amendmentKind) continue;
    const what = `seq ${seq} of ${conversation}`;
    if (amended !== null && amended.amendSeq > 0) {
      const key = `${id} ${amended.amendSeq}`;
      const before = reference.get(key);
      if (before === undefined) reference.set(key, { hash: message.hash, line });
      else if (before.hash !== message.hash && !judged.has(message.hash)) {
        judged.add(message.hash);
        report.violation('I5', `${what}, amended by ${amended.amendSeq}, differs by ${path}`, before.line, line);
      }
    }
    const spans = user === null ? undefined : truth.conversations.get(conversation)?.spans?.get(user);
    if (!truth.complete || spans === undefined || truth.lossSeen) continue;
    if (amends !== null && amends.withBody && !covers(spans, amends.seq)) {
      report.counts.leaked += 1;
      report.violation('I9', `${user} saw by ${path} what seq ${amends.seq} of ${conversation} became`, line);
    }
    if (amended !== null && amended.amendSeq > 0 && !covers(spans, amended.amendSeq)) {
      report.counts.leaked += 1;
      report.violation('I9', `${user} saw ${what} by ${path} as amended by seq ${amended.amendSeq}, not theirs`, line);
    }
    if (amended !== null && amended.amendSeq === 0 && message.body !== 'null') {
      report.counts.resurfaced += 1;
      report.violation('I14', `${what} was withheld from ${user}, and came with a body by ${path}`, line);
    }
  }
}
