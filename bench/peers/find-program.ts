import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** Servers and compilers are often where the PATH of a plain user does not lead. */
const otherFolders = ['/usr/sbin', '/usr/local/sbin', '/usr/local/go/bin'];

/** The path of a program: on PATH, or in `more` folders. Null if it is nowhere. */
export async function findProgram(name: string, more: string[] = []): Promise<string | null> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...otherFolders, ...more];
  for (const path of folders.filter((folder) => folder !== '').map((folder) => join(folder, name))) {
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  return null;
}
