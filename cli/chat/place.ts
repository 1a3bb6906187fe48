import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The place at which a device of the command line continues after a restart. */
export type Place = { position: number; epoch: string };

export type PlaceFile = { load(): Place | null; save(place: Place): void };

/** The file also contains the names: `a-b` on `c` and `a` on `b-c` have the same file name. */
export function placeFile(dataDir: string, user: string, device: string): PlaceFile {
  const path = join(dataDir, 'cli', `${user}-${device}.json`);
  return {
    load() {
      try {
        const kept = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
        const { position, epoch } = kept;
        const mine = kept['user'] === user && kept['device'] === device;
        return mine && Number.isSafeInteger(position) && typeof epoch === 'string'
          ? { position: position as number, epoch }
          : null;
      } catch {
        // No file, or an unreadable one: the server remembers the position too.
        return null;
      }
    },
    save(place) {
      mkdirSync(dirname(path), { recursive: true });
      const next = `${path}.next`;
      writeFileSync(next, `${JSON.stringify({ user, device, ...place })}\n`);
      renameSync(next, path);
    },
  };
}
