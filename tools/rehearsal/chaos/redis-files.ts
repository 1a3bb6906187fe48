import { cp, open, readdir, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';

/** The files of a Redis with an append-only file: how a power loss or a restored backup leaves them. */

/** The folder of its append-only files. */
export const appendFolder = (dir: string): string => join(dir, 'appendonlydir');

/** The file that Redis appends to now: the newest increment. */
async function newestIncrement(dir: string): Promise<string> {
  const numbered = (await readdir(appendFolder(dir))).flatMap((name) => {
    const number = /\.(\d+)\.incr\.aof$/.exec(name)?.[1];
    return number === undefined ? [] : [{ name, number: Number(number) }];
  });
  const newest = numbered.toSorted((one, other) => other.number - one.number)[0];
  if (newest === undefined) throw new Error(`${appendFolder(dir)} has no append-only file`);
  return join(appendFolder(dir), newest.name);
}

/** A place in the append-only file: everything after it was appended later. */
export type Mark = { file: string; bytes: number };

export async function markEnd(dir: string): Promise<Mark> {
  const file = await newestIncrement(dir);
  return { file, bytes: (await stat(file)).size };
}

/** Bytes appended since the mark, without those in files that Redis has begun and rewritten since. */
export async function bytesSince(dir: string, mark: Mark): Promise<number> {
  const now = await markEnd(dir);
  return now.file === mark.file ? now.bytes - mark.bytes : now.bytes;
}

/** Removes the last `bytes` of what was appended. Only while Redis does not run. */
export async function cutTail(dir: string, bytes: number): Promise<void> {
  const file = await newestIncrement(dir);
  const { size } = await stat(file);
  await truncate(file, Math.max(0, size - bytes));
  const handle = await open(file, 'r+');
  await handle.sync();
  await handle.close();
}

/** Copies the files as they are now. The function that it resolves puts them back; only while Redis does not run. */
export async function copyFiles(dir: string): Promise<() => Promise<void>> {
  const kept = join(dir, 'appendonlydir.kept');
  await rm(kept, { recursive: true, force: true });
  await cp(appendFolder(dir), kept, { recursive: true });
  return async () => {
    await removeFiles(dir);
    await cp(kept, appendFolder(dir), { recursive: true });
  };
}

/** Redis finds nothing at its next start. Only while it does not run. */
export const removeFiles = (dir: string): Promise<void> => rm(appendFolder(dir), { recursive: true, force: true });
