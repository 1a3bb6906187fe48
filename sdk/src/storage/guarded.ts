import type { Clock } from '../platform/clock.ts';
import { memory } from './memory.ts';
import { createOverlay, type Overlay } from './overlay.ts';
import { joinedRow, newRow } from './row.ts';
import type { Batch, ConversationRow, Meta, Opened, Storage } from './storage.ts';
import type { Transaction } from './writer.ts';

/** Errors that a person has to look at: going on in memory would hide them. */
const isMeant = (error: unknown): boolean =>
  error instanceof Error && (error.name === 'StorageUpgraded' || error.name === 'StorageBusy');

/** How long a storage may take to open. */
const openMs = 5000;
/** How often one that did not open, or is full, is tried again. */
const retryMs = 60_000;
/** The most messages in one transaction. */
const sliceRows = 200;
const everything = Number.MAX_SAFE_INTEGER;

/** `memory`: it did not open. `full`: it takes nothing more. `lost`: it is of a newer version of the page. */
export type HeldBy = 'memory' | 'full' | 'lost';
export type StorageState = 'persistent' | HeldBy;

/** A storage that goes on in memory when it must, and stores what it can as soon as it can. */
export type Guarded = Storage & {
  readonly state: StorageState;
  /** From now on everything new is in memory, and what is stored is read if it can be. */
  hold(by: HeldBy): void;
  /** In a change: stores what memory holds. The batch of that change is the last step. */
  drain(transaction: Transaction): Promise<void>;
};

export type GuardedOptions = {
  inner: Storage;
  clock: Clock;
  changed(state: StorageState): void;
  /** The storage may take something again: `drain` is wanted. What it held before is told, if that was not known. */
  recovered(): void;
  fault(error: Error, where: string): void;
};

/** Rows of older versions of this package lack fields. */
const completed = (row: ConversationRow): ConversationRow => ({ ...newRow(row.id, row.epoch), ...row });

export function guarded({ inner, clock, changed, recovered, fault }: GuardedOptions): Guarded {
  let overlay: Overlay | null = null;
  let state: StorageState = inner.persistent ? 'persistent' : 'memory';
  /** The place of a storage that opened late. */
  let found: Opened | null = null;
  /** The next batch ends what memory held. */
  let draining = false;
  let cancel = (): void => {};

  const enter = (next: StorageState): void => {
    if (next === state) return;
    state = next;
    changed(next);
  };

  const used = (): Overlay | Storage => overlay ?? inner;

  const openInTime = async (): Promise<Opened | null> => {
    let stop = (): void => {};
    const late = new Promise<never>((_, reject) => {
      stop = clock.after(openMs, () => reject(new Error(`the storage did not open within ${openMs} ms`)));
    });
    return Promise.race([inner.open(), late]).finally(() => stop());
  };

  const retry = (): void => {
    cancel();
    cancel = clock.after(retryMs, () => {
      retry();
      if (state === 'full') return recovered();
      openInTime().then(
        (opened) => {
          found = opened;
          recovered();
        },
        () => {},
      );
    });
  };

  const hold: Guarded['hold'] = (by) => {
    overlay ??= createOverlay(by === 'full' ? inner : memory());
    enter(by);
    if (by !== 'lost') retry();
  };

  /** The texts first: what no row names is not there yet. */
  const storeTexts = async ({ top, leaving }: Overlay, rows: ConversationRow[]): Promise<void> => {
    await inner.write(leaving());
    for (const { id } of rows) {
      const messages = await top.read(id, 1, everything, everything);
      for (let from = 0; from < messages.length; from += sliceRows)
        await inner.write({ messages: messages.slice(from, from + sliceRows) });
      const lines = await top.index(id, 1, everything, everything);
      for (let from = 0; from < lines.length; from += sliceRows)
        await inner.write({ index: { put: lines.slice(from, from + sliceRows) } });
    }
  };

  /** What was stored before a storage opened late, and what came meanwhile, are both here. */
  const joinedMeta = (held: Meta, stored: Meta): Meta =>
    stored.epoch === held.epoch ? { ...held, position: Math.max(held.position, stored.position) } : held;

  return {
    get persistent() {
      return overlay === null && inner.persistent;
    },
    get name() {
      return overlay === null ? inner.name : undefined;
    },
    get state() {
      return state;
    },
    hold,
    async drain(transaction) {
      if (overlay === null || state === 'lost') return;
      const { meta } = transaction;
      if (found !== null && found.user !== null && meta.user !== null && found.user !== meta.user) return;
      try {
        const rows = await overlay.top.list(everything);
        await storeTexts(overlay, rows);
        for (const { id } of rows) {
          const stored = await inner.conversation(id);
          const row = await transaction.row(id);
          transaction.setRow(stored === null || state === 'full' ? row : joinedRow(completed(stored), row));
        }
        for (const entry of await overlay.top.outbox()) transaction.setEntry(entry);
        for (const clientId of overlay.dropped) transaction.dropEntry(clientId);
        transaction.setMeta(found === null ? meta : joinedMeta(meta, found));
        draining = true;
      } catch (error) {
        fault(error as Error, 'storage');
      }
    },
    async open() {
      try {
        return await openInTime();
      } catch (error) {
        if (isMeant(error)) throw error;
        fault(error as Error, 'storage');
        hold('memory');
        return null;
      }
    },
    async write(batch: Batch) {
      if (!draining) return used().write(batch);
      draining = false;
      try {
        await inner.write(batch);
        cancel();
        overlay = null;
        found = null;
        enter(inner.persistent ? 'persistent' : 'memory');
      } catch (error) {
        await used().write(batch);
        fault(error as Error, 'storage');
      }
    },
    async conversation(id) {
      const row = await used().conversation(id);
      return row === null ? null : completed(row);
    },
    list: async (n) => (await used().list(n)).map(completed),
    read: (...range) => used().read(...range),
    index: (...range) => used().index(...range),
    outbox: () => used().outbox(),
    erase: async () => {
      overlay = null;
      await inner.erase();
    },
    async close() {
      cancel();
      await inner.close();
    },
  };
}
