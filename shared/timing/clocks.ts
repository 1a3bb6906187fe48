/**
 * Which clock is for what. Wall clocks jump: an operator or a time server sets them, a virtual machine wakes up, a host
 * starts with the wrong hour. No jump may lose an accepted message, refuse it, or delay it by the length of the jump.
 *
 * - Durations and deadlines within one process: monotonicMs. It never jumps, and means nothing elsewhere.
 * - Times for people, tokens and webhooks: wallMs, this machine's idea of the time and no more.
 * - A check that something is not of the future: latestMs. A clock that was set back makes nothing future.
 * - A time that one process writes and another compares: Redis' time (redis/redis-time.ts), one clock for all. It jumps
 *   as well, so a moment further ahead than can be meant counts as past (`waiting`, leases, rosters).
 * - Removing for good what is old: createProvenClock. A jump ahead counts once it has lasted.
 * - Order: no clock at all, but seqs, positions and stream ids.
 *
 * A timer (setTimeout, setInterval) is monotonic by itself. BullMQ goes by the wall clock of its processes;
 * workers/jobs/schedules.ts says what is done about that. test/architecture.test.ts holds that no other file of the
 * server asks a clock.
 */

/** Milliseconds since some moment of this process: for durations and deadlines. Fractions of a millisecond are kept. */
export const monotonicMs = (): number => performance.now();

/** Milliseconds since 1970 by this machine. */
export const wallMs = (): number => Date.now();

/**
 * The later of two (ms since 1970): the time by this machine, and what it would be if its clock had not jumped since
 * the process began.
 */
export const latestMs = (): number => Math.max(Date.now(), performance.timeOrigin + performance.now());

/** A jump ahead counts once it has lasted this long (ms). */
const provenAfterMs = 10 * 60_000;
/** Difference of the two clocks that is drift and no jump (ms). */
const driftMs = 1000;

/**
 * A wall clock for what cannot be undone. It follows a jump back at once, and a jump ahead only after ten minutes. In
 * its own first ten minutes it says `-Infinity`, by which nothing is old, unless it `trusts` the clock it begins with.
 */
export function createProvenClock(trusts = false, wall = wallMs, monotonic = monotonicMs): () => number {
  let offset = trusts ? wall() - monotonic() : -Infinity;
  /** Since when the wall clock has been ahead, and by how much at least. */
  let ahead: { since: number; least: number } | null = null;
  return () => {
    const now = monotonic();
    const found = wall() - now;
    if (found <= offset + driftMs) {
      offset = found;
      ahead = null;
    } else {
      ahead = { since: ahead?.since ?? now, least: Math.min(ahead?.least ?? found, found) };
      if (now - ahead.since >= provenAfterMs) {
        offset = ahead.least;
        ahead = null;
      }
    }
    return now + offset;
  };
}
