import type { GroupName } from '../../shared/model/groups.ts';
import { traced } from '../../shared/process/telemetry.ts';
import type { WorkerParts } from '../worker.ts';
import { createConsumer } from './consumer.ts';
import type { BatchLimits, Handler } from './handler.ts';
import { createPartitionLeases } from './partition-leases.ts';

/** Runs the handler of a consumer group over the partitions that this process owns. */
export function runGroup(
  parts: WorkerParts,
  group: GroupName,
  limits: (partition: number) => BatchLimits,
  handler: Handler,
): { owned(): number[] } {
  const { config, log, lifecycle, metrics, faults, connections, redis, keys, deployment, bury, id } = parts;
  const about = (partition: number, entries: readonly unknown[]) => ({ partition, entries: entries.length });
  const handle = config.TELEMETRY ? traced(`restante.${group}`, handler.handle, about) : handler.handle;
  const counted: Handler = {
    ...handler,
    async handle(partition, entries, repeated, epoch) {
      const handled = await handle(partition, entries, repeated, epoch);
      if (handled !== 'again') metrics.settled.inc({ group }, handled.settle.length);
      return handled;
    },
  };
  const leases = createPartitionLeases(
    redis,
    keys,
    id,
    group,
    (partition) => {
      const blocking = deployment.hold(connections.blocking());
      return createConsumer(
        { commands: redis, blocking, keys, log, faults, deployment, bury },
        group,
        partition,
        () => limits(partition),
        counted,
      );
    },
    log,
    faults,
  );
  lifecycle.opened('partition leases', leases.stop);
  metrics.partitionsOwned.set({ group }, 0);
  const gauge = setInterval(
    faults.contained('timer', () => metrics.partitionsOwned.set({ group }, leases.partitions().length)),
    5000,
  ).unref();
  lifecycle.opened('gauge', () => clearInterval(gauge));
  return { owned: leases.partitions };
}
