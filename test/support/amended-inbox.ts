import type { Redis } from 'ioredis';
import { messageTail, messageText } from '../../shared/model/message-text.ts';
import type { MessageClass } from '../../shared/model/model.ts';
import {
  type Amends,
  appendToInboxes,
  type InboxAppend,
  type InboxText,
} from '../../shared/redis/inboxes/inbox-appends.ts';
import type { Keys } from '../../shared/redis/keys.ts';

/** Appends messages and amendments to one user's inbox as the fanout does, one call for each. */
export function createAmendedInbox(redis: Redis, keys: Keys, user: string, mostEntries: number) {
  const appendOne = async (conversation: string, text: InboxText | null, one: Omit<InboxAppend, 'text' | 'mark'>) => {
    const texts = text === null ? [] : [text];
    const append: InboxAppend = { text: text === null ? -1 : 0, mark: '', ...one };
    const outcomes = await appendToInboxes(
      redis,
      keys,
      mostEntries,
      texts,
      [{ user, conversation, appends: [append] }],
      false,
      1000,
    );
    if (outcomes === 'closed') throw new Error('closed');
    return outcomes[0]!.outcomes[0]!;
  };
  const textOf = (
    conversation: string,
    seq: number,
    kind: string,
    body: unknown,
    messageClass: MessageClass,
    at = Date.now(),
  ) =>
    messageText(0, {
      streamId: `${seq}-0`,
      conversation,
      seq,
      at,
      tail: messageTail('alice', `c${seq}`, kind, JSON.stringify(body), messageClass),
    });
  const common = { sender: 'alice', device: '*', at: 1000 };

  return {
    /** `prev`: the seq before it that went to inboxes. */
    message: (
      conversation: string,
      seq: number,
      body: unknown,
      joined = 0,
      messageClass: MessageClass = 'normal',
      prev = seq - 1,
    ) =>
      appendOne(
        conversation,
        { ...common, text: textOf(conversation, seq, 'text', body, messageClass) },
        { seq, prev, joined, role: 'member' },
      ),

    /** `role` `over`: without an entry. `sees`: the user sees the amended message, or the amendment. */
    amend(
      conversation: string,
      seq: number,
      target: number,
      version: number,
      body: unknown,
      {
        joined = 0,
        sees = true,
        role = 'quiet',
        messageClass = 'normal',
        at = Date.now(),
        prev = seq - 1,
      }: {
        prev?: number;
        joined?: number;
        sees?: boolean;
        role?: 'quiet' | 'over';
        messageClass?: MessageClass;
        at?: number;
      } = {},
    ) {
      const action = body === null ? 'recall' : 'edit';
      const text = textOf(conversation, seq, 'restante.amend', { seq: target, action, version }, messageClass, at);
      const amends: Amends = { target, version, action, body: body === null ? null : JSON.stringify(body) };
      return appendOne(conversation, { ...common, at: 2000, text, amends }, { seq, prev, joined, role, sees });
    },
  };
}
