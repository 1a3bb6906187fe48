import type { Redis } from 'ioredis';
import type { DeadLetterReason } from '../../shared/model/dead-letter.ts';
import type { DeadLetters } from '../../shared/redis/dead-letters.ts';
import { type Totals, totalsOf } from '../../shared/redis/process-totals.ts';
import type { Processes, ProcessReport } from '../../shared/redis/processes.ts';
import { readServerMemory, type ServerMemory } from '../../shared/redis/server-memory.ts';

/** The deployment at a glance. */
export type Overview = {
  totals: Totals;
  processes: ProcessReport[];
  redis: ServerMemory;
  deadLetters: Record<DeadLetterReason, number>;
};

export const createOverview =
  (redis: Redis, processes: Pick<Processes, 'list'>, deadLetters: Pick<DeadLetters, 'list'>) =>
  async (): Promise<Overview> => {
    const [all, memory, { counts }] = await Promise.all([
      processes.list(),
      readServerMemory(redis),
      deadLetters.list({ limit: 1 }),
    ]);
    return { totals: totalsOf(all, (report) => report), processes: all, redis: memory, deadLetters: counts };
  };
