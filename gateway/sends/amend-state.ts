import { bodyHash, parseMessage } from '../../shared/model/message-text.ts';

/** A message as who sees all of the conversation reads it now; null: there is none at that seq. */
export type TextOf = (conversation: string, seq: number) => Promise<string | null>;

const streamIdOf = (id: string): string => id.slice(id.indexOf('-') + 1);

/**
 * The state of a message as amend-message.lua takes it. What is in force is the newest amendment, whose stream id is in
 * its own message, or the message itself. Resolves null if there is no such message.
 */
export const createAmendState =
  (textOf: TextOf) =>
  async (conversation: string, seq: number): Promise<string | null> => {
    const text = await textOf(conversation, seq);
    if (text === null) return null;
    const { id, sender, at, class: messageClass, kind, body, amended } = parseMessage(text);
    const hash = amended?.action === 'recall' ? '*' : bodyHash(JSON.stringify(body));
    const message = `${sender} ${at} ${messageClass} ${kind} ${hash}`;
    if (amended === undefined || amended.action === 'withheld')
      return `0 * 0 ${sender} ${at} ${streamIdOf(id)} ${message}`;
    const amendment = await textOf(conversation, amended.amendSeq);
    const streamId = amendment === null ? '*' : streamIdOf(parseMessage(amendment).id);
    const word = amended.action === 'recall' ? 'r' : 'e';
    return `${amended.version} ${word} ${amended.amendSeq} ${amended.by} ${amended.at} ${streamId} ${message}`;
  };
