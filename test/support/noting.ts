import { createFaults, type Faults } from '../../shared/process/faults.ts';
import { createMetrics, type Metrics } from '../../shared/process/metrics.ts';

/** Real faults and metrics, with a record of their log events. */
export function noting(): {
  faults: Faults;
  metrics: Metrics;
  lines: { event: string; [field: string]: unknown }[];
  counted(where: string): Promise<number>;
} {
  const lines: { event: string }[] = [];
  const metrics = createMetrics('test');
  const say = (line: { event: string }): void => void lines.push(line);
  return {
    faults: createFaults(metrics, { debug: say, info: say, warn: say, error: say }),
    metrics,
    lines,
    counted: async (where) =>
      (await metrics.faults.get()).values.find(({ labels }) => labels.where === where)?.value ?? 0,
  };
}
