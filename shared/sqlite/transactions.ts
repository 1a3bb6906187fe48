import type { DatabaseSync } from 'node:sqlite';
import { monotonicMs } from '../timing/clocks.ts';
import { retries, retryPauseMs } from '../timing/retry.ts';

/** What every SQLite file of a deployment has in common: opening while others do, and one write transaction. */

/** How long a call waits for another process's transaction (ms), unless it is told otherwise. */
export const usualBusyMs = 5000;
const openTimeoutMs = 15_000;
const sqliteBusy = 5;

const isBusy = (error: unknown): boolean =>
  error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === sqliteBusy;

/** Switching a new file to WAL and recovering one answer "busy" at once, whatever the busy timeout: try again. */
export function untilFree<T>(task: () => T): T {
  const deadline = monotonicMs() + openTimeoutMs;
  for (;;) {
    try {
      return task();
    } catch (error) {
      if (!isBusy(error) || monotonicMs() > deadline) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, retryPauseMs(retries.sqliteBusy, 1));
    }
  }
}

/** The number of the schema that the file has; 0: it is new. */
export const versionOf = (db: DatabaseSync): number =>
  Number(db.prepare('PRAGMA user_version').get()?.['user_version']);

/**
 * Runs the task as one write transaction. IMMEDIATE: one that began by reading would fail at once if another writes.
 */
export function inTransaction<T>(db: DatabaseSync, task: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = task();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}
