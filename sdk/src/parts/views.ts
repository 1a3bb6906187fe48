import type { ViewedConversation } from '../client/api.ts';
import type { Inside } from '../client/inside.ts';
import type { Part } from '../client/part.ts';
import type { HistoryQuery } from '../intake/history-reading.ts';
import { difference, holds, missingIn, sizeOf, union, type Ranges } from '../intake/ranges.ts';
import { holesOf } from '../storage/row.ts';
import type { IndexRow } from '../storage/storage.ts';
import { createInMemory, type InMemory } from '../view/in-memory.ts';
import { makeView, type View } from '../view/message-view.ts';
import type { Attached, OneConversation } from '../view/own-conversation.ts';
import { createStore } from '../view/store.ts';
import type { Message, SeqRange } from '../wire.ts';

/** The messages that one look brings. */
const newest = 50;
const everything = Number.MAX_SAFE_INTEGER;

/** The messages of conversations as lists that are kept up to date: `messages`, `older` and `around`. */
export const views: Part<object, ViewedConversation> = (inside) => {
  const inMemory = createInMemory(inside.options.cache?.memory ?? newest);
  return { conversation: (one) => createViewing(inside, one, inMemory) };
};

function createViewing(inside: Inside, one: OneConversation, inMemory: InMemory): Attached<ViewedConversation> {
  const { storage, acts, outbox, connection, meter, fault } = inside;
  const { id } = one;
  let loaded = new Map<number, Message>();
  /** Lines of messages whose texts have left the storage. */
  let lines = new Map<number, IndexRow>();
  let loading: Ranges = [];
  let released = true;

  const history = (query: HistoryQuery): Promise<void> => acts.history(id, one.target(), query);
  const fill = (range: SeqRange): Promise<void> => acts.fill(id, one.target(), range);

  const messages = createStore<View>(() => {
    void load();
    return makeView({
      row: one.row,
      loaded,
      lines,
      loading,
      waiting: outbox.waiting(id),
      user: inside.writer.meta.user ?? '',
      persisted: storage.persistent,
      synced: connection.current.synced,
    });
  }, fault);

  const take = (all: Message[]): void => {
    for (const message of all) loaded.set(message.seq, message);
    messages.invalidate();
  };

  /** Nobody looks at it: the newest messages stay. */
  const trim = (): void => {
    if (one.isOpen || loaded.size <= inMemory.newest) return;
    loaded = new Map([...loaded].toSorted(([first], [other]) => other - first).slice(0, inMemory.newest));
    lines = new Map();
  };

  /** Shows that a range is read while it is. */
  const whileLoading = async (range: SeqRange, read: () => Promise<unknown>): Promise<void> => {
    loading = union(loading, [range]);
    messages.invalidate();
    try {
      await read();
    } finally {
      loading = difference(loading, [range]);
      messages.invalidate();
    }
  };

  const takeLines = async ({ fromSeq, toSeq }: SeqRange, limit: number): Promise<void> => {
    for (const line of await storage.index(id, fromSeq, toSeq, limit)) lines.set(line.seq, line);
    messages.invalidate();
  };

  const held = {
    get isOpen() {
      return one.isOpen;
    },
    /** Its messages leave memory, until somebody asks for them. */
    release() {
      released = true;
      loaded = new Map();
      lines = new Map();
      messages.invalidate();
    },
  };

  const start = async (): Promise<void> => {
    await one.known();
    take(await storage.read(id, 1, everything, inMemory.newest, true));
  };
  let started = Promise.resolve();
  /** Brings the newest messages into memory, unless they are there. */
  const load = (): Promise<void> => {
    if (!released) return started;
    released = false;
    inMemory.looked(held);
    return (started = start().catch((error: unknown) => fault(error as Error, 'storage')));
  };

  const lowest = (): number => Math.min(one.row.lastSeq + 1, ...loaded.keys(), ...lines.keys());

  void load();
  return {
    methods: {
      messages,
      async older(n = newest) {
        await load();
        const below = lowest();
        const range = { fromSeq: Math.max(1, below - n), toSeq: below - 1 };
        if (range.toSeq < 1) return;
        const missing = difference(missingIn(range, one.row.present), one.row.absent);
        if (sizeOf(missing) > 0) {
          // Without a network at least the lines are shown.
          await takeLines(range, n);
          const limit = Math.min(n, 2 * meter.pace.historyItems);
          await whileLoading(range, () => history({ before: below, limit }));
        }
        take(await storage.read(id, 1, below - 1, n, true));
      },
      async around(seq, n = newest) {
        await load();
        const range = {
          fromSeq: Math.max(1, seq - Math.floor(n / 2)),
          toSeq: Math.min(seq + Math.ceil(n / 2), one.row.lastSeq),
        };
        await takeLines(range, n + 1);
        await whileLoading(range, () => fill(range));
        take(await storage.read(id, range.fromSeq, range.toSeq, n + 1));
      },
    },
    changed(changed) {
      if (released) return;
      const from = lowest();
      take(changed.filter(({ seq }) => seq >= from || loaded.size === 0));
      trim();
    },
    outboxChanged: messages.invalidate,
    opened() {
      void load();
      inMemory.looked(held);
    },
    /** Brings the newest messages, and those that are shown and may have been amended since. */
    async update(readNewest) {
      await load();
      const { row } = one;
      const hole = holesOf(row).findLast(({ toSeq }) => toSeq >= lowest());
      if (hole !== undefined) {
        const fromSeq = Math.max(hole.fromSeq, hole.toSeq - meter.pace.historyItems + 1);
        await fill({ ...hole, fromSeq });
      }
      await readNewest();
      const shown = one.row.stale.filter(({ toSeq }) => toSeq >= lowest());
      for (const { toSeq } of shown.toReversed()) {
        if (holds(one.row.stale, toSeq)) await history({ before: toSeq + 1, limit: meter.pace.historyItems });
      }
    },
  };
}
