import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';

/** Every metric of the project; owners count, nobody else. Names begin `restante_`, units are in the names. */
export function createMetrics(role: string) {
  const registers = [new Registry()];
  const registry = registers[0]!;
  registry.setDefaultLabels({ role });
  collectDefaultMetrics({ register: registry, prefix: 'restante_' });
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[] = []) =>
    new Counter({ name: `restante_${name}`, help, labelNames, registers });
  const gauge = <Label extends string>(name: string, help: string, labelNames: Label[] = []) =>
    new Gauge({ name: `restante_${name}`, help, labelNames, registers });

  return {
    registry,
    /** The gauge of open connections asks when it is read. */
    countConnections: (count: () => number): void => {
      new Gauge({
        name: 'restante_connections',
        help: 'Open WebSocket connections.',
        registers,
        collect() {
          this.set(count());
        },
      });
    },
    accepted: counter('accepted_total', 'Messages accepted.'),
    duplicates: counter('duplicates_total', 'Sends answered with their first answer.'),
    refused: counter('refused_total', 'Requests refused, by error code.', ['code']),
    pushed: counter('pushed_total', 'Items written to sockets as they came.'),
    pushedAgain: counter('pushed_again_total', 'Items written again because they were not received in time.'),
    closed: counter('closed_total', 'Connections closed by the server, by close code.', ['code']),
    settled: counter('settled_total', 'Stream entries settled.', ['group']),
    partitionsOwned: gauge('partitions_owned', 'Partitions that this process owns.', ['group']),
    buried: counter('buried_total', 'Stream entries that became dead letters, by reason.', ['reason']),
    deliveries: counter('deliveries_total', 'Attempts of delivery jobs: which one it was, or that its device has received, is away, or could not be asked about.', ['result']),
    notifications: counter('notifications_total', 'Notifications, by result.', ['result']),
    trimmed: counter('trimmed_total', 'Entries trimmed from message streams.'),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
