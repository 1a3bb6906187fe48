import type { Facts, Message } from './facts.ts';
import type { Report } from './report.ts';
import { acceptedOf } from './sends.ts';
import { amendmentKind } from './sightings.ts';
import { covers, type Truth } from './truth.ts';

/** Kinds that are no news: they do not count as unread. */
const quiet = new Set([amendmentKind, 'restante.erased', 'restante.commit']);
/** An inbox remembers so many of them in a conversation; older ones may count again. */
const mostSilent = 64;
const isNews = (kind: string, amended: Message['amended']): boolean => !quiet.has(kind) && amended?.action !== 'recall';

/**
 * I13: at the end, `unread` is the number of messages above the read seq that the user may see; lists and summaries
 * agree on it; and the read seq is not below what was read or sent.
 */
export function checkUnread(facts: Facts, truth: Truth, report: Report): void {
  if (!truth.complete) return;
  const readUpTo = new Map<string, { seq: number; line: number }>();
  const raise = (key: string, seq: number, line: number): void => {
    if ((readUpTo.get(key)?.seq ?? 0) < seq) readUpTo.set(key, { seq, line });
  };
  // After a loss a read seq may have fallen back: what is written there is not kept by history.
  if (!truth.lossSeen && facts.losses.length === 0) {
    for (const { user, conversation, seq, line } of facts.reads) raise(`${user} ${conversation}`, seq, line);
    for (const sends of facts.sends.values())
      for (const send of sends)
        for (const { conversation, seq, id, line } of acceptedOf(send))
          // What was lost is I1's.
          if (truth.conversations.get(conversation)?.messages.get(seq)?.id === id)
            raise(`${send.sender} ${conversation}`, seq, line);
  }
  const listed = new Set<string>();
  for (const { user, conversation: id, unread, readSeq, lastSeq, line, from, final } of facts.summaries) {
    if (!final) continue;
    const conversation = truth.conversations.get(id);
    const spans = conversation?.spans?.get(user);
    if (conversation === undefined || conversation.spans === null) continue;
    const key = `${user} ${id}`;
    if (from === 'list') listed.add(key);
    const where = `${from} of ${user}: ${id}`;
    const span = spans?.at(-1);
    if (span === undefined || span.left !== null) {
      report.violation('I13', `${where} is named, and the user is no member`, line);
      continue;
    }
    const visible = [...conversation.messages.values()].filter(({ seq }) => covers(spans!, seq));
    const newest = visible.at(-1)?.seq ?? span.joined;
    const counting = visible.filter(({ seq, kind, amended }) => seq > readSeq && isNews(kind, amended)).length;
    // The end of a conversation may be numbers that losses skipped: one that has no message yet since then. An inbox
    // that lost nothing in a later loss still knows the end of an earlier one.
    const skippedEnd = conversation.absent.some(
      ({ fromSeq, toSeq }) => newest >= fromSeq - 1 && fromSeq <= lastSeq && lastSeq <= toSeq,
    );
    if (lastSeq !== newest && !skippedEnd)
      report.violation('I13', `${where} has lastSeq ${lastSeq}, and the newest is ${newest}`, line, conversation.line);
    const silent = visible.length - visible.filter(({ kind, amended }) => isNews(kind, amended)).length;
    if (unread < counting || unread > counting + Math.max(0, silent - mostSilent))
      report.violation(
        'I13',
        `${where} counts ${unread} unread above seq ${readSeq}, and there are ${counting}`,
        line,
        conversation.line,
      );
    const least = readUpTo.get(key);
    if (least !== undefined && readSeq < least.seq && covers([span], least.seq))
      report.violation(
        'I13',
        `${where} has the read seq ${readSeq}, and ${least.seq} was read or sent`,
        least.line,
        line,
      );
  }
  for (const user of facts.listed)
    for (const { id, spans, messages, line } of truth.conversations.values())
      if (spans?.get(user)?.at(-1)?.left === null && messages.size > 0 && !listed.has(`${user} ${id}`))
        report.violation('I13', `the list of ${user} lacks ${id}`, line);
}
