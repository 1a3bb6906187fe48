import type { OutboxEntry } from '../outbox/entry.ts';
import type { Message } from '../wire.ts';
import { blankMeta, StorageFenced, type ConversationRow, type IndexRow, type Meta, type Storage } from './storage.ts';
import { createTable } from './table.ts';

const byOrder = (one: OutboxEntry, other: OutboxEntry): number => one.order - other.order;

/** Keeps everything in this process and for as long as it. What is stored is stored at once. */
export function memory(): Storage {
  let meta: Meta | null = null;
  let term = 0;
  const rows = new Map<string, ConversationRow>();
  const messages = createTable<Message>();
  const index = createTable<IndexRow>();
  const entries = new Map<string, OutboxEntry>();

  return {
    persistent: false,
    open: async () => (meta === null && term === 0 ? null : { ...blankMeta, ...meta, term }),
    async write(batch) {
      if (batch.term !== undefined && batch.term < term) throw new StorageFenced(batch.term, term);
      term = batch.term ?? term;
      meta = batch.meta ?? meta;
      for (const row of batch.conversations ?? []) rows.set(row.id, row);
      for (const stretch of batch.evict ?? []) messages.drop(stretch);
      for (const message of batch.messages ?? []) messages.set(message);
      for (const stretch of batch.index?.drop ?? []) index.drop(stretch);
      for (const row of batch.index?.put ?? []) index.set(row);
      for (const entry of batch.outbox?.put ?? []) entries.set(entry.clientId, entry);
      for (const clientId of batch.outbox?.drop ?? []) entries.delete(clientId);
    },
    conversation: async (id) => rows.get(id) ?? null,
    list: async (n) => [...rows.values()].toSorted((one, other) => other.at - one.at).slice(0, n),
    read: async (conversation, fromSeq, toSeq, limit, newest) =>
      messages.read({ conversation, fromSeq, toSeq }, limit, newest),
    index: async (conversation, fromSeq, toSeq, limit) => index.read({ conversation, fromSeq, toSeq }, limit, true),
    outbox: async () => [...entries.values()].toSorted(byOrder),
    async erase() {
      meta = null;
      term = 0;
      rows.clear();
      messages.clear();
      index.clear();
      entries.clear();
    },
    close: async () => {},
  };
}
