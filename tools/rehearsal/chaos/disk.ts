import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';

/** A small file system in memory that can be filled. `remove` only after nothing uses it any more. */
export type Disk = { readonly path: string; remove(): void };

/** Mounts one at `path`, or says why that is not possible. Needs Linux and the right to mount. */
export function mountDisk(path: string, bytes: number): Disk | { reason: string } {
  mkdirSync(path, { recursive: true });
  const { status, stderr, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path], {
    encoding: 'utf8',
  });
  if (status !== 0)
    return { reason: `a small file system cannot be mounted here: ${(error?.message ?? stderr).trim()}` };
  return {
    path,
    remove: () => void spawnSync('umount', ['--lazy', path]),
  };
}
