import type { Metrics } from '../../shared/process/metrics.ts';
import type { BodyBudget } from '../limits/body-budget.ts';
import type { WatchedUsers } from '../presence/watched-users.ts';
import type { LargeGroupPush } from '../push/large-groups.ts';
import type { Levels } from '../sends/levels.ts';
import type { Registry } from '../socket/registry.ts';

/** Metrics that are read from the gateway when somebody asks for them. */
export function registerGauges(
  metrics: Metrics,
  registry: Pick<Registry, 'all' | 'clients'>,
  bodies: Pick<BodyBudget, 'bytes'>,
  large: Pick<LargeGroupPush, 'size'>,
  levels: Pick<Levels, 'waiting'>,
  watched: Pick<WatchedUsers, 'size'>,
): void {
  const gauge = (value: number) => [{ labels: {}, value }];
  metrics.connections(async () => gauge(registry.all.size));
  metrics.clients(async () =>
    registry.clients().map(({ name, connections }) => ({ labels: { client: name }, value: connections })),
  );
  metrics.bodyBytes(async () => gauge(bodies.bytes));
  metrics.presenceWatches(async () => gauge(watched.size));
  metrics.largeGroups(async () => gauge(large.size));
  metrics.waitingAnswers(async () => levels.waiting().map(({ level, count }) => ({ labels: { level }, value: count })));
  metrics.queuedBytes(async () =>
    gauge(registry.all.values().reduce((sum, { socket }) => sum + socket.bufferedAmount, 0)),
  );
}
