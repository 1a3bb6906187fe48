import { setInterval } from 'node:timers';
import type { ProcessRow } from '../../shared/history/gate-rows.ts';
import type { HistoryStore } from '../../shared/history/store.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import { newestFormats } from '../../shared/recovery/formats.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { createProcesses, type Processes } from '../../shared/redis/processes.ts';
import { run } from '../../shared/redis/scripts.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import type { WorkerParts } from '../worker.ts';

const lookEveryMs = 5000;
/** After a longer pause between two looks (ms), what was seen before the pause does not count. */
const mostPauseMs = 20_000;
/** The number is raised when all processes have read the next one for this long (ms). */
const afterMs = 60_000;

/**
 * Whether every process reads this format number: each that reports itself has a row, and no row is of a process that
 * reads less. A row without reports counts too, because its process may only be paused.
 */
export function isReadByAll(
  number: number,
  reporting: readonly string[],
  enlisted: readonly Pick<ProcessRow, 'id' | 'formats'>[],
): boolean {
  const ids = new Set(enlisted.map(({ id }) => id));
  return (
    reporting.length > 0 && reporting.every((id) => ids.has(id)) && enlisted.every(({ formats }) => formats >= number)
  );
}

/**
 * Raises the format number of the deployment by one, once every process has read the next number for `afterMs`. Each
 * call is one look. Several processes may do this at once.
 *
 * _Must hold:_
 * - History has the number before Redis. If a process dies in between, a later look raises Redis.
 * - The row is written only while it is marked opened. Until the next epoch, nobody else changes anything in such a
 *   row, so nothing of another process is overwritten.
 */
export function createFormatsRaising(parts: {
  redis: WorkerParts['redis'];
  keys: Keys;
  history: Pick<HistoryStore, 'deployment' | 'saveDeployment' | 'enlisted'>;
  processes: Pick<Processes, 'list'>;
  log: Logger;
  /** The highest number that this version reads. */
  newest?: number;
  afterMs?: number;
  now?: () => number;
}): () => Promise<void> {
  const { redis, keys, history, processes, log, newest = newestFormats, now = monotonicMs } = parts;
  /** The epoch in which history and Redis were found at the newest number. */
  let doneIn: string | null = null;
  let readSince: number | null = null;
  let lastLook = now();

  async function look(): Promise<boolean> {
    const [epoch, said] = await redis.hmget(keys.deployment, 'epoch', 'formats');
    const inRedis = Number(said ?? 0);
    if (epoch === doneIn && inRedis >= newest) return false;
    const stored = await history.deployment();
    if (stored === null || !stored.opened || stored.epoch !== epoch) return false;
    if (inRedis < stored.formats) await run(redis, 'raise-formats', [keys.deployment], [epoch, stored.formats]);
    if (stored.formats >= newest) {
      doneIn = epoch;
      return false;
    }
    const next = stored.formats + 1;
    const [reporting, enlisted] = await Promise.all([processes.list(), history.enlisted()]);
    const ids = reporting.map(({ id }) => id);
    if (!isReadByAll(next, ids, enlisted)) return false;
    if (readSince === null || now() - readSince < (parts.afterMs ?? afterMs)) return true;
    const saved = await history.saveDeployment(epoch, { ...stored, formats: next });
    if (saved.epoch !== epoch) return false;
    await run(redis, 'raise-formats', [keys.deployment], [epoch, next]);
    log.info({ event: 'formats_raised', formats: next });
    return false;
  }

  return async () => {
    const began = now();
    if (began - lastLook > mostPauseMs) readSince = null;
    lastLook = began;
    let isRead = false;
    try {
      isRead = await look();
    } finally {
      readSince = isRead ? (readSince ?? began) : null;
    }
  };
}

/** Has `jobs` look every few seconds whether the format number can be raised. */
export function raiseFormats({ redis, keys, history, log, lifecycle }: WorkerParts): void {
  const look = createFormatsRaising({ redis, keys, history, processes: createProcesses(redis, keys), log });
  let looking = false;
  const looks = setInterval(() => {
    if (looking) return;
    looking = true;
    look()
      .catch((thrown) => log.debug({ event: 'formats_look_failed', reason: reason(thrown) }))
      .finally(() => (looking = false));
  }, lookEveryMs);
  lifecycle.opened('formats', () => clearInterval(looks));
}
