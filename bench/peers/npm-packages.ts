/** The npm packages of a peer, in its own folder with its own lock file: the project itself does not depend on them. */
import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { lastWords } from '../../tools/harness/python-wheel.ts';

const run = promisify(execFile);
const installWithinMs = 120_000;

const changedAt = (path: string): Promise<number> =>
  stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );

/** Whether what is installed is at least as new as the lock file. */
export const isInstalled = async (folder: string): Promise<boolean> =>
  (await changedAt(join(folder, 'node_modules', '.package-lock.json'))) >=
  (await changedAt(join(folder, 'package-lock.json')));

/** Installs them if they are missing. Resolves why that failed, or null. */
export async function installPackages(folder: string): Promise<string | null> {
  if (await isInstalled(folder)) return null;
  try {
    const args = ['ci', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];
    await run('npm', args, { cwd: folder, timeout: installWithinMs });
    return null;
  } catch (error) {
    return `npm ci in ${folder} failed: ${lastWords(error)}`;
  }
}
