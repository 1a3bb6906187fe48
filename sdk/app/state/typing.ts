import type { Client } from '../../src/entries/client.ts';

/** Who types where. Shown for six seconds, or until a message of theirs comes. */
export type Typing = {
  in(conversation: string): readonly string[];
  /** The user of this page typed; told at most as often as the server takes it. */
  typed(conversation: string): void;
};

const shownMs = 6000;
const toldEveryMs = 3000;

export function createTyping(client: Client, changed: () => void): Typing {
  const all = new Map<string, Map<string, ReturnType<typeof setTimeout>>>();
  const toldAt = new Map<string, number>();

  const end = (conversation: string, user: string): void => {
    const users = all.get(conversation);
    if (users?.has(user) !== true) return;
    clearTimeout(users.get(user));
    users.delete(user);
    if (users.size === 0) all.delete(conversation);
    changed();
  };

  client.on('typing', ({ conversation, user, stop }) => {
    if (typeof conversation !== 'string' || typeof user !== 'string') return;
    end(conversation, user);
    if (stop === true) return;
    const users = all.get(conversation) ?? new Map<string, ReturnType<typeof setTimeout>>();
    users.set(user, setTimeout(end, shownMs, conversation, user));
    all.set(conversation, users);
    changed();
  });
  client.on('message', ({ message, live }) => {
    if (live) end(message.conversation, message.sender);
  });

  return {
    in: (conversation) => [...(all.get(conversation)?.keys() ?? [])],
    typed(conversation) {
      const now = Date.now();
      if (now - (toldAt.get(conversation) ?? 0) < (client.limits?.typingEveryMs ?? toldEveryMs)) return;
      toldAt.set(conversation, now);
      client.conversation(conversation).typing();
    },
  };
}
