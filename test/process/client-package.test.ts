import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';
import { build } from 'rolldown';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { noBrowser, openBrowser } from '../../tools/harness/browser.ts';
import { readBlocks } from '../support/guide-blocks.ts';
import { installPackedClient, tsc } from '../support/packed-client.ts';

/** The client package as its users get it: packed, installed in a project of their own, and imported there. */

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
let dir: string;
let project: string;
let tarball: string;
let browser: Browser | null;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'restante-client-'));
  project = join(dir, 'project');
  await cp(join(root, 'test', 'process', 'client-project'), project, { recursive: true });
  tarball = await installPackedClient(dir, project);
  browser = await openBrowser();
}, 240_000);

afterAll(async () => {
  await browser?.close();
  await rm(dir, { recursive: true, force: true });
});

type Package = { name: string; exports: Record<string, string | Record<string, string>> };

const packageJson = async (): Promise<Package> =>
  JSON.parse(await readFile(join(project, 'node_modules', 'restante-client', 'package.json'), 'utf8')) as Package;

const entries = async (): Promise<string[]> =>
  Object.keys((await packageJson()).exports)
    .filter((name) => name !== './package.json')
    .map((name) => join('restante-client', name));

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
  const imports = (await entries()).map((name) => `await import('${name}');`).join('\n');
  await writeFile(join(project, 'all.mjs'), `${imports}\nconsole.log('imported');\n`);
  const { stdout } = await run(process.execPath, ['all.mjs'], { cwd: project });
  expect(stdout).toBe('imported\n');
});

test('is imported by a page, through a bundler', async (context) => {
  if (browser === null) return context.skip(noBrowser);
  const input = join(project, 'page.mjs');
  const names = (await entries()).filter((name) => !name.endsWith('/sqlite'));
  const parts = names.map((name, i) => `import * as part${i} from '${name}';`).join('\n');
  await writeFile(input, `${parts}\nglobalThis.found = [${names.map((_, i) => `...Object.keys(part${i})`).join()}];\n`);
  const { output } = await build({ input, platform: 'browser', output: { format: 'iife' }, write: false });
  const page = await browser.newPage();
  const faults: string[] = [];
  page.on('pageerror', ({ message }) => faults.push(message));
  await page.addScriptTag({ content: output[0].code });
  expect(faults).toEqual([]);
  expect(await page.evaluate('globalThis.found')).toEqual(
    expect.arrayContaining(['createClient', 'createLink', 'indexedDb', 'audit', 'playedServer']),
  );
});

/** Each block of TypeScript in the guides becomes a module of the project. */
async function layGuides(): Promise<number> {
  const guides = join(root, 'docs', 'guides');
  let laid = 0;
  for (const name of await readdir(guides))
    for (const { language, text, line } of readBlocks(await readFile(join(guides, name), 'utf8')))
      if (language === 'ts') {
        await writeFile(join(project, `${name.replace('.md', '')}-line-${line}.ts`), `export {};\n${text}`);
        laid += 1;
      }
  return laid;
}

test('has types that a strict project and the code of the guides compile with', async () => {
  expect(await layGuides()).toBeGreaterThan(3);
  await run(tsc, ['-p', '.'], { cwd: project }).catch((error: { stdout: string }) => expect(error.stdout).toBe(''));
});

/** What a checker of packages says; fails with it if the checker finds anything. */
async function checked(checker: string, ...args: string[]): Promise<string> {
  const program = join(root, 'node_modules', '.bin', checker);
  const { stdout } = await run(program, [...args, tarball], { env: { ...process.env, NO_COLOR: '1' } }).catch(
    (error: { stdout: string }) => expect.fail(error.stdout),
  );
  return stdout;
}

test('has types that every kind of resolution of ECMAScript modules finds', async () => {
  const said = await checked('attw', '--profile', 'esm-only', '--no-emoji', '--no-color');
  for (const name of await entries()) expect(said).toContain(`"${name}"`);
});

test('follows the rules for packages', async () => {
  expect(await checked('publint', 'run', '--strict')).toContain('All good!');
});
