import { type Logger, reason, seldom } from './log.ts';
import type { FaultPlace, Metrics } from './metrics.ts';

/**
 * Contains exceptions: what one socket, request, push, timer or job throws ends that one and never the process. A fault
 * is an exception that nobody expected, so each is counted (`restante_faults_total`) and logged with its stack, one
 * line a second for each place. What belongs to nobody still reaches the process-wide handler (lifecycle.ts).
 */
export function createFaults(metrics: Pick<Metrics, 'faults'>, log: Logger) {
  const due = seldom();

  function note(where: FaultPlace, thrown: unknown): void {
    metrics.faults.inc({ where });
    const also = due(where);
    if (also === null) return;
    log.error({
      event: 'fault',
      where,
      reason: reason(thrown),
      also,
      stack: thrown instanceof Error ? thrown.stack : undefined,
    });
  }

  return {
    /** Counts and logs a fault that was contained. */
    note,

    /**
     * The same function for a timer, a listener or a promise that nobody waits for: what it throws, or rejects with, is
     * noted, and `after` is called with it.
     */
    contained<Given extends unknown[]>(
      where: FaultPlace,
      work: (...given: Given) => unknown,
      after?: (thrown: unknown) => void,
    ): (...given: Given) => void {
      const failed = (thrown: unknown): void => {
        note(where, thrown);
        after?.(thrown);
      };
      return (...given) => {
        try {
          const result = work(...given);
          if (result instanceof Promise) result.catch(failed);
        } catch (thrown) {
          failed(thrown);
        }
      };
    },
  };
}

export type Faults = ReturnType<typeof createFaults>;
