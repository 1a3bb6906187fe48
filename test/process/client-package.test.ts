import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** The client package as its users get it: packed, installed in a project of their own, and imported there. */

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const tsc = join(root, 'node_modules', '.bin', 'tsc');
let dir: string;
let project: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'restante-client-'));
  project = join(dir, 'project');
  const built = join(dir, 'package');
  for (const name of ['package.json', 'README.md', 'LICENSE']) {
    await cp(join(root, 'sdk', name), join(built, name));
  }
  await run(tsc, ['-p', join(root, 'sdk'), '--outDir', join(built, 'dist')]);
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', dir], { cwd: built });
  const tarball = (await readdir(dir)).find((name) => name.endsWith('.tgz'))!;
  await cp(join(root, 'test', 'process', 'client-project'), project, { recursive: true });
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', join(dir, tarball)], { cwd: project });
}, 120_000);

afterAll(() => rm(dir, { recursive: true, force: true }));

const packageJson = async (): Promise<{ exports: Record<string, string | Record<string, string>> }> =>
  JSON.parse(await readFile(join(project, 'node_modules', 'restante-client', 'package.json'), 'utf8')) as never;

test('has no dependency, and brings the file of every entry', async () => {
  expect((await readdir(join(project, 'node_modules'))).filter((name) => !name.startsWith('.'))).toEqual([
    'restante-client',
  ]);
  const { exports, ...rest } = await packageJson();
  expect(rest).not.toHaveProperty('dependencies');
  for (const target of Object.values(exports).flatMap((one) => (typeof one === 'string' ? [one] : Object.values(one))))
    await expect(readFile(join(project, 'node_modules', 'restante-client', target))).resolves.toBeDefined();
});

test('is imported by Node', async () => {
  const names = Object.keys((await packageJson()).exports).filter((name) => name !== './package.json');
  const imports = names.map((name) => `await import('${join('restante-client', name)}');`).join('\n');
  await writeFile(join(project, 'all.mjs'), `${imports}\nconsole.log('imported');\n`);
  const { stdout } = await run(process.execPath, ['all.mjs'], { cwd: project });
  expect(stdout).toBe('imported\n');
});

test('has types that a strict project compiles with', async () => {
  await run(tsc, ['-p', '.'], { cwd: project }).catch((error: { stdout: string }) => expect(error.stdout).toBe(''));
});
