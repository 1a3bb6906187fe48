import type { HistoryStore } from '../../shared/history/store.ts';
import type { Metrics } from '../../shared/metrics.ts';

const blocksInCall = 200;
const mostCalls = 50;

/**
 * Removes blocks of history in which everything is older than the retention; readers have not seen it for long. So much a run that the
 * store is free for others in between.
 */
export function createRetention(parts: {
  history: Pick<HistoryStore, 'expireBlocks'>; metrics: Pick<Metrics, 'expired'>; retentionMs: number; now?: () => number;
}) {
  const { history, metrics, retentionMs, now = Date.now } = parts;
  return async (): Promise<void> => {
    if (retentionMs === Infinity) return;
    for (let call = 0; call < mostCalls; call++) {
      const removed = await history.expireBlocks(now() - retentionMs, blocksInCall);
      metrics.expired.inc(removed);
      if (removed < blocksInCall) return;
    }
  };
}
