import type { Storage } from '../storage/storage.ts';
import type { Status } from './api.ts';
import { noteStored } from './device-id.ts';

/** What becomes of the storage, as the application is told, and what a browser is told of it. */
export type StorageState = {
  readonly value: Status['storage'];
  enter(state: Status['storage']): void;
  /** Rows were stored: from then on, a storage that is empty was lost. */
  noteRows(): void;
  /** It holds something of its user: a browser is asked not to evict it. */
  keep(): void;
};

export type StorageStateOptions = {
  /** The storage that is used: the given one, or memory in its place. */
  used: Pick<Storage, 'persistent'>;
  given: Storage | undefined;
  entered(state: Status['storage']): void;
  fault(error: Error, where: string): void;
};

export function createStorageState({ used, given, entered, fault }: StorageStateOptions): StorageState {
  let value: Status['storage'] = used.persistent ? 'persistent' : 'memory';
  let isNoted = false;
  let isKept = false;

  return {
    get value() {
      return value;
    },
    enter(state) {
      value = state;
      entered(state);
    },
    noteRows() {
      if (isNoted || !used.persistent) return;
      isNoted = true;
      noteStored(given?.name);
    },
    keep() {
      if (isKept || !used.persistent) return;
      isKept = true;
      given?.keep?.().catch((error: unknown) => fault(error as Error, 'storage'));
    },
  };
}
