import { isProgramFault, type Refusal } from '../shared/model/errors.ts';
import { type Logger, reason, seldom } from '../shared/process/log.ts';
import type { Metrics } from '../shared/process/metrics.ts';
import { monotonicMs } from '../shared/timing/clocks.ts';

/**
 * Counts every refusal, and logs the cause of those that the server is to blame for: the client is told only a code.
 * One line a second for each code, with the number of refusals it stands for: an outage must not flood the log.
 */
export function createErrorLog(metrics: Pick<Metrics, 'refused' | 'faults'>, log: Logger, now = monotonicMs) {
  const due = seldom(1000, now);
  return (refusal: Refusal, where: string): void => {
    const { code, cause } = refusal;
    metrics.refused.inc({ code });
    if (cause === undefined) return;
    if (code === 'internal' || isProgramFault(cause)) metrics.faults.inc({ where: 'request' });
    const also = due(code);
    if (also === null) return;
    const line = { event: 'refused', code, where, reason: reason(cause), also };
    if (code === 'internal') log.error({ ...line, stack: cause instanceof Error ? cause.stack : undefined });
    else log.warn(line);
  };
}

export type NoteRefusal = ReturnType<typeof createErrorLog>;
