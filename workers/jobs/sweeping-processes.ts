import { setInterval } from 'node:timers';
import type { HistoryStore } from '../../shared/history/store.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import { leaveMarks } from '../../shared/recovery/marks.ts';
import { runOf } from '../../shared/redis/connection/run.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { createProcesses, type Processes } from '../../shared/redis/processes.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import type { WorkerParts } from '../worker.ts';
import { createSilence } from './silence.ts';

const lookEveryMs = 2000;
/** A look that takes longer than this (ms) does not count: it does not say when it read. */
const mostLookMs = 1000;
const sweepEveryMs = 30_000;

/**
 * Removes the rows of crashed processes from history, as if they had left. A row that stays makes the next opening of
 * Redis count as a loss, because its process cannot be asked what it saw.
 *
 * _Must hold:_ marks are in Redis before history has them, and in history before the row goes. A mark is a later write
 * than everything the process saw in this run. So a Redis that loses any of that has lost the mark too.
 *
 * Several processes may do this at once: each leaves marks, and a row goes once.
 */
export function createProcessSweeping(parts: {
  redis: WorkerParts['redis'];
  keys: Keys;
  history: Pick<HistoryStore, 'enlisted' | 'dismissSilent'>;
  processes: Pick<Processes, 'list'>;
  log: Logger;
  now?: () => number;
}) {
  const { redis, keys, history, processes, log, now = monotonicMs } = parts;
  const silence = createSilence();
  let run = '';

  return {
    /** Looks who reports, and for what Redis is open. */
    async look(): Promise<void> {
      const began = now();
      const [openRun, gate] = await redis.hmget(keys.deployment, 'run', 'gate');
      const reporting = await processes.list();
      if (now() - began > mostLookMs) return;
      run = openRun ?? '';
      silence.look(
        now(),
        run !== '' && run === runOf(redis) ? `${run} ${gate ?? ''}` : null,
        reporting.map(({ id }) => id),
      );
    },

    /** Removes the rows of all processes that are silent now. */
    async sweep(): Promise<void> {
      const silent = silence.among(now(), await history.enlisted());
      if (silent.length === 0) return;
      const marks = await leaveMarks(redis, keys, run);
      if (marks === null) return;
      await history.dismissSilent(silent, marks);
      log.warn({ event: 'processes_swept', processes: silent.map(({ id, role, host }) => `${role} ${id} ${host}`) });
    },
  };
}

/** Has `jobs` look every two seconds, and sweep every 30 s. */
export function sweepProcesses({ redis, keys, history, log, lifecycle }: WorkerParts): void {
  const sweeping = createProcessSweeping({ redis, keys, history, processes: createProcesses(redis, keys), log });
  let sweptAt = monotonicMs();
  let isBusy = false;

  async function turn(): Promise<void> {
    await sweeping.look();
    if (monotonicMs() - sweptAt < sweepEveryMs) return;
    sweptAt = monotonicMs();
    await sweeping.sweep();
  }
  const turns = setInterval(() => {
    if (isBusy) return;
    isBusy = true;
    turn()
      .catch((thrown) => log.debug({ event: 'process_sweep_failed', reason: reason(thrown) }))
      .finally(() => (isBusy = false));
  }, lookEveryMs);
  lifecycle.opened('process sweep', () => clearInterval(turns));
}
