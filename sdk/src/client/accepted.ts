import type { OutboxEntry } from '../outbox/entry.ts';
import type { Frame, Message } from '../wire.ts';

/**
 * What an answer says about the conversation, as the message that the other devices get. An amendment is a message too,
 * of which the answer gives no id.
 */
export function acceptedMessage(entry: OutboxEntry, frame: Frame, user: string): Message {
  const { clientId, kind, body, class: messageClass, target } = entry;
  const answer = entry.answer!;
  const common = { ...answer, sender: user, clientId, class: messageClass };
  if (entry.type === 'send') return { ...common, kind, body };
  const { version } = frame as { version?: unknown };
  return {
    ...common,
    kind: 'restante.amend',
    body: { ...target, version, ...(target!.action === 'edit' ? { body } : {}) },
  };
}
