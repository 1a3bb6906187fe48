import type { Guarded } from './guarded.ts';
import type { Change, Repaired } from './writer.ts';

export type RepairOptions = {
  storage: Guarded;
  /** Changes that free a quarter of the storage. */
  makeRoom(): Promise<Change[]>;
  /** The storage is empty all at once: the change that begins anew, with what is known here. */
  restored(): Change;
  fault(error: Error, where: string): void;
};

/** The browser gives no more room, or the disk is full (as SQLite says it). */
const isFull = (error: Error & { errcode?: number }): boolean =>
  error.name === 'QuotaExceededError' || error.errcode === 13;

/** What is done when a storage takes nothing. The result says how the same changes may be tried again at once. */
export function createRepair({ storage, makeRoom, restored, fault }: RepairOptions) {
  return async (error: Error, tries: number): Promise<Repaired | null> => {
    if (isFull(error) && storage.state === 'persistent') {
      if (tries === 0) return { first: await makeRoom() };
      fault(error, 'storage');
      storage.hold('full');
      return {};
    }
    if (error.name === 'StorageUpgraded') {
      fault(error, 'upgraded');
      storage.hold('lost');
      return {};
    }
    if (error.name === 'StorageLost') {
      await storage.open();
      return { also: restored() };
    }
    return null;
  };
}
