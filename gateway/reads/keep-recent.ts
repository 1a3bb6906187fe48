import { type Logger, reason } from '../../shared/process/log.ts';
import type { Recent, TextRun } from '../../shared/redis/conversations/recent.ts';

/** Keeps texts that the store gave in Redis, unless memory is scarce there. Nothing waits for it. */
export const createKeepRecent =
  (recent: Pick<Recent, 'fill'>, memory: { readonly isTight: boolean }, log: Logger) =>
  (texts: TextRun, amendSeq: number): void => {
    if (memory.isTight) return;
    recent
      .fill(texts, amendSeq)
      .catch((thrown: unknown) => log.debug({ event: 'recent_failed', reason: reason(thrown) }));
  };
