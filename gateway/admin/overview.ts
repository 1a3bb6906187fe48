import type { Redis } from 'ioredis';
import type { DeadLetterReason } from '../../shared/model/dead-letter.ts';
import type { DeadLetters } from '../../shared/redis/dead-letters.ts';
import type { Processes, ProcessReport } from '../../shared/redis/processes.ts';
import { readServerMemory, type ServerMemory } from '../../shared/redis/server-memory.ts';

/** The deployment at a glance. Latencies (ms) are those of the slowest gateway; null: nothing was measured. */
export type Overview = {
  totals: {
    connections: number;
    acceptedPerS: number;
    pushedPerS: number;
    acceptP50Ms: number | null;
    acceptP99Ms: number | null;
    deliverP50Ms: number | null;
    deliverP99Ms: number | null;
  };
  processes: ProcessReport[];
  redis: ServerMemory;
  deadLetters: Record<DeadLetterReason, number>;
};

const sum = (values: number[]): number => values.reduce((all, value) => all + value, 0);

function worst(values: (number | null)[]): number | null {
  const timed = values.filter((value) => value !== null);
  return timed.length === 0 ? null : Math.max(...timed);
}

export const createOverview =
  (redis: Redis, processes: Pick<Processes, 'list'>, deadLetters: Pick<DeadLetters, 'list'>) =>
  async (): Promise<Overview> => {
    const [all, memory, { counts }] = await Promise.all([
      processes.list(),
      readServerMemory(redis),
      deadLetters.list({ limit: 1 }),
    ]);
    const gateways = all.filter(({ role }) => role === 'web');
    return {
      totals: {
        connections: sum(gateways.map((one) => one.connections)),
        acceptedPerS: sum(gateways.map((one) => one.acceptedPerS)),
        pushedPerS: sum(gateways.map((one) => one.pushedPerS)),
        acceptP50Ms: worst(gateways.map((one) => one.acceptP50Ms)),
        acceptP99Ms: worst(gateways.map((one) => one.acceptP99Ms)),
        deliverP50Ms: worst(gateways.map((one) => one.deliverP50Ms)),
        deliverP99Ms: worst(gateways.map((one) => one.deliverP99Ms)),
      },
      processes: all,
      redis: memory,
      deadLetters: counts,
    };
  };
