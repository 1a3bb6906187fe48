import type { HistoryStore } from '../store.ts';
import { createAmendmentRows } from './amendment-rows.ts';
import { callMs, createCalls } from './calls.ts';
import { createCompaction } from './compaction.ts';
import { createDeploymentRow } from './deployment-row.ts';
import { createGateRows } from './gate-rows.ts';
import { createReads } from './reads.ts';
import { createSettingsRows } from './settings-rows.ts';
import { createWrites } from './writes.ts';

/** The history in MongoDB 6 or later, a replica set. Throws if the URL is malformed (calls.ts). */
export function openMongoStore(url: string): HistoryStore {
  const calls = createCalls(url);
  return {
    ...createReads(calls),
    ...createWrites(calls),
    ...createCompaction(calls),
    ...createDeploymentRow(calls),
    ...createAmendmentRows(calls),
    ...createGateRows(calls),
    ...createSettingsRows(calls),
    ping: () => calls.call(callMs.page, ({ ping }) => ping()),
    close: calls.close,
  };
}
