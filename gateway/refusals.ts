import { monotonicMs } from '../shared/clocks.ts';
import type { Refusal } from '../shared/errors.ts';
import { type Logger, reason } from '../shared/log.ts';
import type { Metrics } from '../shared/metrics.ts';

const sayEveryMs = 1000;

/**
 * Counts every refusal, and says in the log what was behind those that are not the client's doing: the client is told a code
 * and no more. One line a second for each code, with how many it stands for: an outage must not become a flood of lines.
 */
export function createRefusals(metrics: Pick<Metrics, 'refused'>, log: Logger, now = monotonicMs) {
  const said = new Map<string, { at: number; unsaid: number }>();
  return (refusal: Refusal, where: string): void => {
    const { code, cause } = refusal;
    metrics.refused.inc({ code });
    if (cause === undefined) return;
    const last = said.get(code);
    if (last !== undefined && now() - last.at < sayEveryMs) {
      last.unsaid += 1;
      return;
    }
    const line = { event: 'refused', code, where, reason: reason(cause), also: last?.unsaid ?? 0 };
    said.set(code, { at: now(), unsaid: 0 });
    if (code === 'internal') log.error({ ...line, stack: cause instanceof Error ? cause.stack : undefined });
    else log.warn(line);
  };
}

export type NoteRefusal = ReturnType<typeof createRefusals>;
