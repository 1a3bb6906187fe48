import type { Facts } from './facts.ts';
import type { Report } from './report.ts';
import { covers, type Truth } from './truth.ts';

/**
 * I9: nobody sees a message from before joining or after leaving, on any path.
 *
 * What was lost is no part of the final state, and neither is who was a member then. Such a message is held against the
 * weaker rule that its reader was a member at some time, or was to become one.
 */
export function checkMembership(facts: Facts, truth: Truth, report: Report): void {
  if (!truth.complete) return;
  const everAsked = new Set<string>();
  for (const { conversation, members } of facts.creations)
    for (const member of members) everAsked.add(`${conversation} ${member}`);
  for (const { conversation, user, operation, refused } of facts.changes)
    if (operation === 'join' && !refused) everAsked.add(`${conversation} ${user}`);
  const told = new Set<string>();

  for (const { message, user, line, path } of facts.sightings) {
    if (user === null) continue;
    const conversation = truth.conversations.get(message.conversation);
    if (conversation === undefined || conversation.spans === null) continue;
    const kept = conversation.messages.get(message.seq)?.id === message.id;
    const spans = conversation.spans.get(user) ?? [];
    const mayBeSeen = kept
      ? covers(spans, message.seq)
      : spans.length > 0 || everAsked.has(`${message.conversation} ${user}`);
    if (mayBeSeen) continue;
    const key = `${user} ${message.id} ${path}`;
    if (told.has(key)) continue;
    told.add(key);
    report.counts.leaked += 1;
    const times = spans.map(({ joined, left }) => `${joined + 1} to ${left ?? 'the end'}`).join(', ') || 'never';
    report.violation(
      'I9',
      `${user} saw seq ${message.seq} of ${message.conversation} by ${path}; member: ${times}`,
      line,
    );
  }
  if (truth.lossSeen) return;
  for (const { user, conversation: id, fromSeq, toSeq, line } of facts.gaps) {
    const members = truth.conversations.get(id)?.spans ?? null;
    if (members === null) continue;
    const spans = members.get(user);
    // In between, a gap may reach over a time of absence: an inbox keeps few of them, and joins the oldest.
    const first = spans?.[0];
    const last = spans?.at(-1);
    if (first !== undefined && fromSeq > first.joined && (last!.left === null || toSeq <= last!.left)) continue;
    report.counts.leaked += 1;
    report.violation(
      'I9',
      `${user} was told of the seqs ${fromSeq} to ${toSeq} of ${id}, which are not of its membership`,
      line,
    );
  }
}
