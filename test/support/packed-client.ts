import { execFile } from 'node:child_process';
import { cp, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));

/** The compiler of this repository. */
export const tsc = join(root, 'node_modules', '.bin', 'tsc');

/**
 * Packs the client package as its users get it, from a copy of its sources, and installs it in a project, a folder that
 * has a package.json. Resolves the path of what was packed.
 */
export async function installPackedClient(dir: string, project: string): Promise<string> {
  const built = join(dir, 'package');
  await mkdir(built, { recursive: true });
  for (const name of ['package.json', 'README.md', 'LICENSE']) await cp(join(root, 'sdk', name), join(built, name));
  await run(tsc, ['-p', join(root, 'sdk'), '--outDir', join(built, 'dist')]);
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', dir], { cwd: built });
  const tarball = join(
    dir,
    (await readdir(dir)).find((name) => name.endsWith('.tgz'))!,
  );
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', tarball], { cwd: project });
  return tarball;
}
