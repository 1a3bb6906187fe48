import { join } from 'node:path';
import { findPowerCuts, type PowerCuts } from '../../harness/power-cuts.ts';
import { findClocks, type ShiftedClock } from '../../harness/shifted-clocks.ts';
import { type Disk, mountDisk } from './disk.ts';
import type { Fault, Ground, Needs } from './stage.ts';

/** What the faults of a run need of the machine. */
export type Equipment = {
  /** By the name of the process. */
  readonly clocks: ReadonlyMap<string, ShiftedClock>;
  readonly disk: Disk | null;
  readonly powerCuts: PowerCuts | null;
  /** Gives it all back; after the processes that used it have ended. */
  release(): void;
};

/** All that the faults of one run need together, or why one of them cannot run. */
export function needsOf(faults: readonly Fault[], ground: Ground): Needs | { reason: string } {
  const all: { -readonly [Key in keyof Needs]: Needs[Key] } = {};
  for (const { name, needs = {}, cannot } of faults) {
    const reason = cannot?.(ground) ?? null;
    if (reason !== null) return { reason };
    if (needs.disk !== undefined && all.disk !== undefined) return { reason: `${name}: another fault has the disk` };
    all.clocks = [...(all.clocks ?? []), ...(needs.clocks ?? [])];
    all.redisArgs = [...(all.redisArgs ?? []), ...(needs.redisArgs ?? [])];
    all.env = { ...all.env, ...needs.env };
    all.counts = { ...all.counts, ...needs.counts };
    all.mongoNodes = Math.max(all.mongoNodes ?? 1, needs.mongoNodes ?? 1);
    if (needs.disk !== undefined) all.disk = needs.disk;
    all.powerCuts = (all.powerCuts ?? false) || needs.powerCuts === true;
  }
  // Both are done by a library that is loaded into the server, and one variable names one.
  if (all.powerCuts === true && all.clocks?.some((name) => name.startsWith('redis')))
    return { reason: 'the clock of Redis cannot be moved while it is watched for what it has synced' };
  return all;
}

/** Finds and makes what is needed in `dir`, or says what this machine lacks. */
export function equip(needs: Needs, dir: string): Equipment | { reason: string } {
  const clocks = new Map<string, ShiftedClock>();
  let disk: Disk | null = null;
  let powerCuts: PowerCuts | null = null;
  const release = (): void => {
    disk?.remove();
    for (const clock of clocks.values()) clock.remove();
  };
  if (needs.powerCuts === true) {
    const found = findPowerCuts();
    if ('reason' in found) return found;
    powerCuts = found;
  }
  if (needs.clocks !== undefined && needs.clocks.length > 0) {
    const found = findClocks();
    if ('reason' in found) return found;
    for (const name of needs.clocks) clocks.set(name, found.create());
  }
  if (needs.disk !== undefined) {
    const mounted = mountDisk(join(dir, 'disk'), needs.disk.bytes);
    if ('reason' in mounted) {
      release();
      return mounted;
    }
    disk = mounted;
  }
  return { clocks, disk, powerCuts, release };
}
