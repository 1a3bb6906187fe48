import type { Clock } from '../platform/clock.ts';
import { memory } from './memory.ts';
import type { Storage } from './storage.ts';

/** Errors that a person has to look at: going on in memory would hide them. */
const isMeant = (error: unknown): boolean =>
  error instanceof Error && (error.name === 'StorageUpgraded' || error.name === 'StorageBusy');

/** How long a storage may take to open. */
const openMs = 5000;

/**
 * A storage that falls back to memory when it cannot be opened, as in some private windows: what is received and sent
 * then lives as long as the page, and the next page finds what the server still keeps.
 */
export function guarded(inner: Storage, clock: Clock, failed: (error: Error) => void): Storage {
  let used = inner;

  const open = async (): Promise<Awaited<ReturnType<Storage['open']>>> => {
    let cancel = (): void => {};
    const late = new Promise<never>((_, reject) => {
      cancel = clock.after(openMs, () => reject(new Error(`the storage did not open within ${openMs} ms`)));
    });
    try {
      return await Promise.race([inner.open(), late]);
    } catch (error) {
      if (isMeant(error)) throw error;
      used = memory();
      failed(error as Error);
      return null;
    } finally {
      cancel();
    }
  };

  return {
    get persistent() {
      return used.persistent;
    },
    open,
    write: (batch) => used.write(batch),
    conversation: (id) => used.conversation(id),
    list: (n) => used.list(n),
    read: (...range) => used.read(...range),
    outbox: () => used.outbox(),
    erase: () => used.erase(),
    close: () => used.close(),
  };
}
