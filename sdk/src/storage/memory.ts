import type { OutboxEntry } from '../outbox/entry.ts';
import type { Message } from '../wire.ts';
import type { ConversationRow, Opened, Storage } from './storage.ts';

const byOrder = (one: OutboxEntry, other: OutboxEntry): number => one.order - other.order;

/** Keeps everything in this process and for as long as it. What is stored is stored at once. */
export function memory(): Storage {
  let meta: Opened | null = null;
  const rows = new Map<string, ConversationRow>();
  const messages = new Map<string, Map<number, Message>>();
  const entries = new Map<string, OutboxEntry>();

  const messagesOf = (conversation: string): Map<number, Message> => {
    let found = messages.get(conversation);
    if (found === undefined) messages.set(conversation, (found = new Map()));
    return found;
  };

  return {
    persistent: false,
    open: async () => meta,
    async write(batch) {
      if (batch.meta !== undefined) meta = { user: null, device: '', position: 0, epoch: null, ...meta, ...batch.meta };
      for (const row of batch.conversations ?? []) rows.set(row.id, row);
      for (const message of batch.messages ?? []) messagesOf(message.conversation).set(message.seq, message);
      for (const { conversation, fromSeq, toSeq } of batch.evict ?? []) {
        const kept = messagesOf(conversation);
        for (const seq of kept.keys()) if (seq >= fromSeq && seq <= toSeq) kept.delete(seq);
      }
      for (const entry of batch.outbox?.put ?? []) entries.set(entry.clientId, entry);
      for (const clientId of batch.outbox?.drop ?? []) entries.delete(clientId);
    },
    conversation: async (id) => rows.get(id) ?? null,
    list: async (n) => [...rows.values()].toSorted((one, other) => other.at - one.at).slice(0, n),
    async read(conversation, fromSeq, toSeq, limit, newest) {
      const found = [...messagesOf(conversation).values()]
        .filter(({ seq }) => seq >= fromSeq && seq <= toSeq)
        .toSorted((one, other) => one.seq - other.seq);
      return newest === true ? found.slice(-limit) : found.slice(0, limit);
    },
    outbox: async () => [...entries.values()].toSorted(byOrder),
    async erase() {
      meta = null;
      rows.clear();
      messages.clear();
      entries.clear();
    },
    close: async () => {},
  };
}
