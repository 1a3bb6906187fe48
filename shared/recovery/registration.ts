import type { GateRows } from '../history/gate-rows.ts';
import { isCertainlyDead, thisProcess } from '../process/process-identity.ts';
import { monotonicMs, wallMs } from '../timing/clocks.ts';
import { newestFormats } from './formats.ts';

/**
 * A process that was not heard of for this long (ms) does not answer for anything. `jobs` takes three times as long to
 * remove its row, so the row stands while it answers.
 */
const heardWithinMs = 20_000;

/**
 * The row of this process in history. Whoever may see numbers of Redis has one, written before it serves: when Redis
 * comes back, everybody with a row is asked what it saw. A row whose process cannot be asked counts as a loss.
 *
 * A process that was paused for long may have lost its row. So before it answers `accepted`, it must have been heard of
 * lately, by both of its clocks: one of them may stand still while a machine sleeps.
 */
export function createRegistration(
  history: Pick<GateRows, 'enlist' | 'enlisted' | 'slots' | 'dismiss'>,
  { id, role }: { id: string; role: string },
  clocks = { monotonicMs, wallMs },
) {
  let heardAt: { monotonic: number; wall: number } | null = null;
  const now = () => ({ monotonic: clocks.monotonicMs(), wall: clocks.wallMs() });

  function isHeard(): boolean {
    if (heardAt === null) return false;
    const { monotonic, wall } = now();
    return Math.max(monotonic - heardAt.monotonic, wall - heardAt.wall) < heardWithinMs;
  }

  return {
    id,
    isHeard,

    /**
     * Writes the row, then resolves the number of the last opening that began. The order matters: an opening writes its
     * number and then reads the rows, so one of the two sees the other.
     */
    async enlist(): Promise<number> {
      const began = now();
      await history.enlist({ id, role, ...thisProcess(), formats: newestFormats, since: began.wall });
      const slots = await history.slots();
      heardAt = began;
      return Math.max(0, ...[...slots.values()].map(({ gate }) => gate));
    },

    /** The report that was begun when `began` was taken has arrived. Too late a report changes nothing. */
    heard(began: { monotonic: number; wall: number }): void {
      if (isHeard()) heardAt = began;
    },
    now,

    /** Everybody with a row; `dead`: it has certainly ended. */
    async enlisted(): Promise<{ id: string; dead: boolean }[]> {
      const rows = await history.enlisted();
      return rows.map((row) => ({ id: row.id, dead: row.id !== id && isCertainlyDead(row) }));
    },

    /** Removes the row. `marks`: what this process has left in Redis, which stands for what it saw. */
    async leave(marks: ReadonlyMap<string, number>): Promise<void> {
      heardAt = null;
      await history.dismiss([id], marks);
    },
  };
}

export type Registration = ReturnType<typeof createRegistration>;
