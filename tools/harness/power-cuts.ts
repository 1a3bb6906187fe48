import { existsSync, readdirSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildPreload } from './preload.ts';

/** Power cuts of a Redis: what it had written into its append-only files, and not synced, is lost. */
export type PowerCuts = {
  /** The environment for the Redis. */
  readonly env: Record<string, string>;
  /**
   * Cuts every append-only file in a folder to what was synced of it. Resolves the number of bytes that were lost. To
   * be called after the Redis was killed.
   */
  cut(folder: string): number;
};

const source = fileURLToPath(new URL('./synced-size.c', import.meta.url));

/** Needs Linux and a C compiler; otherwise `reason` names what is missing. */
export function findPowerCuts(): PowerCuts | { reason: string } {
  const built = buildPreload(source, 'the record of what is on the disk');
  if ('reason' in built) return built;
  return {
    env: { LD_PRELOAD: built.path },
    cut(folder) {
      let lost = 0;
      for (const name of readdirSync(folder).filter((one) => one.endsWith('.aof'))) {
        const file = join(folder, name);
        const { size } = statSync(file);
        const synced = existsSync(`${file}.synced`) ? Number(readFileSync(`${file}.synced`).readBigInt64LE()) : 0;
        truncateSync(file, Math.min(size, synced));
        lost += Math.max(0, size - synced);
      }
      return lost;
    },
  };
}
