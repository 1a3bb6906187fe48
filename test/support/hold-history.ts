import { existsSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/**
 * Loaded into an archive before its program (held-archive.ts): it stands still when it is about to write a batch into
 * SQLite, as long as the file exists that HOLD_HISTORY names. Then `<file>.held` exists.
 */
const file = process.env['HOLD_HISTORY'];
const exec = DatabaseSync.prototype.exec;
const waiting = new Int32Array(new SharedArrayBuffer(4));

DatabaseSync.prototype.exec = function held(sql: string): void {
  const isBatch = sql.startsWith('BEGIN') && new Error().stack?.includes('writeChained') === true;
  if (file !== undefined && isBatch && existsSync(file)) {
    writeFileSync(`${file}.held`, '');
    while (existsSync(file)) Atomics.wait(waiting, 0, 0, 10);
  }
  exec.call(this, sql);
};
