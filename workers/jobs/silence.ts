import type { ProcessRow } from '../../shared/history/gate-rows.ts';

/** A process without a report for this long (ms) is taken for dead. It stops answering after a third of that. */
export const silentMs = 60_000;
/**
 * A report counts for 10 s, and may take 2 s to arrive (redis/processes.ts, redis/connection). So with looks that are
 * less far apart than this (ms), no report goes unnoticed.
 */
const mostPauseMs = 7000;

/**
 * Which enlisted processes are silent: without a report for `silentMs`, while Redis stayed open for one run by one
 * opening. Times are by a monotonic clock (ms).
 *
 * Whatever such a process has seen was in this run, or was asked for when the run was opened. So a mark in Redis can
 * stand for it. Where nobody has looked for a while, or there was an opening, the time begins again.
 */
export function createSilence() {
  let openFor: string | null = null;
  let watchedSince = 0;
  let lastLook = -Infinity;
  const heardAt = new Map<string, number>();
  /** By id and time of enlisting: a process that enlists again has another row. */
  let rowSeenAt = new Map<string, number>();

  return {
    /** Notes one look: for what Redis is open (run and opening; null: it is not), and who has reported lately. */
    look(now: number, open: string | null, reporting: readonly string[]): void {
      if (open === null || open !== openFor || now - lastLook > mostPauseMs) watchedSince = now;
      openFor = open;
      lastLook = now;
      for (const [id, at] of heardAt) if (now - at >= silentMs) heardAt.delete(id);
      for (const id of reporting) heardAt.set(id, now);
    },

    /** The rows of processes that are silent now. `rows` are all that there are. */
    among(now: number, rows: readonly ProcessRow[]): ProcessRow[] {
      const keyOf = ({ id, since }: ProcessRow): string => `${id} ${since}`;
      rowSeenAt = new Map(rows.map((row) => [keyOf(row), rowSeenAt.get(keyOf(row)) ?? now]));
      if (openFor === null || now - lastLook > mostPauseMs || now - watchedSince < silentMs) return [];
      return rows.filter((row) => {
        const lastSign = Math.max(rowSeenAt.get(keyOf(row)) ?? now, heardAt.get(row.id) ?? -Infinity);
        return now - lastSign >= silentMs;
      });
    },
  };
}

export type Silence = ReturnType<typeof createSilence>;
