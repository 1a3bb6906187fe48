import type { HistoryStore } from '../store.ts';
import { type AmendmentLines, createAmendmentRows } from './amendment-rows.ts';
import { createCompaction } from './compaction.ts';
import { openStatements } from './database.ts';
import { createDeploymentRow } from './deployment-row.ts';
import { createGateRows } from './gate-rows.ts';
import { createPlacedBlocks } from './placed-blocks.ts';
import { createReads } from './reads.ts';
import { createSettingsRows } from './settings-rows.ts';
import { createWrites } from './writes.ts';

export type SqliteStore = HistoryStore & AmendmentLines;

/**
 * The history in one file, for one host. Processes share the file. Each call runs to its end before it returns, so a
 * process that serves sockets uses thread.ts. Throws if the file cannot be opened.
 */
export function openSqliteStore(path: string, options: { readOnly?: boolean; busyMs?: number } = {}): SqliteStore {
  const statements = openStatements(path, options);
  const placed = createPlacedBlocks(statements);
  return {
    ...createReads(statements),
    ...createWrites(statements, placed),
    ...createCompaction(statements, placed),
    ...createDeploymentRow(statements),
    ...createAmendmentRows(statements),
    ...createGateRows(statements),
    ...createSettingsRows(statements),
    // Rejects if the store cannot be read, since it reads a row.
    async ping() {
      statements.row(statements.read.deployment);
    },
    async close() {
      statements.close();
    },
  };
}
