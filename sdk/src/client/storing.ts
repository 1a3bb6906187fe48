import { guarded } from '../storage/guarded.ts';
import { memory } from '../storage/memory.ts';
import { createRepair } from '../storage/repair.ts';
import { batchRows, createWriter, type Transaction } from '../storage/writer.ts';
import type { Inside } from './inside.ts';
import { listedMost } from './list.ts';
import { openStorage } from './open-storage.ts';
import { createStorageState } from './storage-state.ts';

/** The storage, the one way to it, and what is done when it fails. */
export function createStoring(inside: Inside): Pick<Inside, 'storage' | 'storageState' | 'writer' | 'loaded'> {
  const { options, clock, random, fault, cache, list, observe, emit } = inside;
  const storage = guarded({
    inner: options.storage ?? memory(),
    clock,
    changed: (state) => storageState.enter(state),
    recovered: () =>
      writer.change({ run: (transaction) => storage.drain(transaction), stored: reloaded, rows: batchRows }),
    fault,
  });
  const storageState = createStorageState({
    used: storage,
    given: options.storage,
    entered(state) {
      emit('storage', state);
      inside.changedStatus();
    },
    fault,
  });

  const opened = openStorage(storage, options, () => storageState.enter('lost'));

  const repair = createRepair({
    storage,
    makeRoom: cache.makeRoom,
    restored() {
      storageState.enter('lost');
      writer.forget();
      // The position of an unknown epoch is moved by nothing that this connection brings.
      const run = (transaction: Transaction): void => {
        transaction.setMeta({ position: 0, epoch: null });
        for (const entry of inside.outbox.all()) transaction.setEntry(entry);
      };
      return { run, stored: () => inside.link.renew() };
    },
    fault,
  });

  const writer = createWriter({
    storage,
    opened,
    clock,
    random,
    fault,
    written: (rows, ms) => observe({ type: 'write', rows, ms }),
    repair,
    changed(rows, messages) {
      inside.tabs?.tell({ rows, messages, meta: writer.meta });
      storageState.noteRows();
      inside.conversations.show(rows, messages);
      if (rows.length > 0) cache.stored(rows);
    },
    fenced: () => inside.tabs?.fenced(),
  });

  const load = async (): Promise<void> => {
    list.load(await storage.list(listedMost));
    inside.outbox.load(await storage.outbox());
    inside.changedStatus();
  };
  /** A storage that opened late had something before. */
  const reloaded = (): void => {
    if (storage.state !== 'persistent') return;
    writer.forget();
    inside.outbox.persisted();
    load().catch((error: unknown) => fault(error as Error, 'storage'));
  };
  const loaded = writer.opened.then(load);
  // `connect` tells; whoever never connects must not be told of an unhandled rejection.
  loaded.catch((error: unknown) => fault(error as Error, 'storage'));

  return { storage, storageState, writer, loaded };
}
