import type { Facts, Message, Send } from './facts.ts';
import type { Report } from './report.ts';
import { conversationOf } from './sends.ts';
import { amendmentKind } from './sightings.ts';
import type { Truth } from './truth.ts';

/** I3: nothing is seen that nobody sent, or that was certainly refused. */
export const membershipKind = 'restante.membership';

/** The send that a message came from; null if there is none. */
export function sendOf(facts: Facts, truth: Truth, message: Message): Send | null {
  const sends = facts.sends.get(`${message.sender} ${message.clientId}`) ?? [];
  return (
    sends.find((send) => {
      const conversation = conversationOf(send, truth);
      return conversation === null || conversation === message.conversation;
    }) ?? null
  );
}

export function checkOrigins(facts: Facts, truth: Truth, report: Report): void {
  const asked = new Set<string>();
  for (const { conversation, user, operation, refused } of facts.changes)
    if (!refused) asked.add(`${conversation} ${user} ${operation}`);
  const seen = new Set<string>();
  for (const { message, line } of facts.sightings) {
    if (seen.has(message.id)) continue;
    seen.add(message.id);
    const what = `seq ${message.seq} of ${message.conversation}, id ${message.id}`;
    if (message.kind === membershipKind) {
      const { user, action } = message.change!;
      if (!asked.has(`${message.conversation} ${user} ${action === 'joined' ? 'join' : 'leave'}`))
        report.violation('I3', `${what} says that ${user} ${action}, which nobody asked for`, line);
      continue;
    }
    if (message.kind === amendmentKind) {
      const amend = facts.amends.get(`${message.sender} ${message.clientId}`);
      if (amend === undefined || amend.seq !== message.amends!.seq || amend.conversation !== message.conversation)
        report.violation('I3', `${what} amends what nobody asked to be amended`, line);
      else if (amend.attempts.every(({ outcome }) => outcome?.kind === 'refused'))
        report.violation('I3', `${what}, an amendment, was refused at every attempt`, line);
      continue;
    }
    // Other messages of the server are its own.
    if (message.kind.startsWith('restante.')) continue;
    const send = sendOf(facts, truth, message);
    if (send === null) report.violation('I3', `${what} by ${message.sender} was sent by nobody`, line);
    else if (send.attempts.every(({ outcome }) => outcome?.kind === 'refused'))
      report.violation('I3', `${what} was refused at every attempt`, line, ...send.attempts.map((one) => one.line));
  }
}
