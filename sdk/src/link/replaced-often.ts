import type { Clock } from '../platform/clock.ts';

/** So often within this time the same device must have been replaced by another connection. */
const most = 3;
const withinMs = 600_000;

/**
 * Finds out that a copy of this browser's profile is in use as well: both are the same device, and each connection
 * replaces the other's. Called when a connection was replaced; true says that it is one time too many.
 */
export function createReplacedOften(clock: Clock): () => boolean {
  let times: number[] = [];
  return () => {
    const now = clock.now();
    times = [...times.filter((at) => now - at < withinMs), now];
    if (times.length < most) return false;
    times = [];
    return true;
  };
}
