import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { installPackedClient } from '../support/packed-client.ts';

/** The connection of the packed client on every runtime that is there, against a real cluster. */

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
let dir: string;
let project: string;
let cluster: Cluster;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'restante-runtimes-'));
  project = join(dir, 'project');
  await mkdir(project);
  await writeFile(join(project, 'package.json'), '{ "name": "project", "private": true, "type": "module" }\n');
  await installPackedClient(dir, project);
  await cp(join(root, 'test', 'process', 'client-project', 'link-suite.mjs'), join(project, 'link-suite.mjs'));
  // Node 20 has no WebSocket of its own.
  await symlink(join(root, 'node_modules', 'ws'), join(project, 'node_modules', 'ws'));
  cluster = await startCluster();
}, 240_000);

afterAll(async () => {
  await cluster?.stop();
  await rm(dir, { recursive: true, force: true });
});

type Runtime = { name: string; variable: string; program: string; version: RegExp; args: string[] };

const node = (major: number): Runtime => ({
  name: `Node ${major}`,
  variable: `NODE${major}`,
  program: 'node',
  version: new RegExp(`^v${major}\\.`),
  args: [],
});
const runtimes: Runtime[] = [
  ...[20, 22, 24].map(node),
  { name: 'Bun', variable: 'BUN', program: 'bun', version: /^1\./, args: ['run'] },
  { name: 'Deno', variable: 'DENO', program: 'deno', version: /^deno 2\./, args: ['run', '--allow-all'] },
];

function hasVersion(file: string, version: RegExp): boolean {
  try {
    return version.test(execFileSync(file, ['--version'], { encoding: 'utf8' }));
  } catch {
    return false;
  }
}

/** The program that the variable names, or the first of its version on PATH. */
function find({ variable, program, version }: Runtime): string | undefined {
  const named = process.env[variable];
  if (named !== undefined) return named;
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, program));
  return onPath.find((file) => existsSync(file) && hasVersion(file, version));
}

test.for(runtimes)('$name connects, sends, receives, reads and comes back', async (runtime, context) => {
  const file = find(runtime);
  const { name, variable, args } = runtime;
  if (file === undefined) return context.skip(`no ${name} on PATH; ${variable} may say where one is`);
  const url = cluster.url().replace(/\/v1\/ws$/, '');
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const suite = [...args, 'link-suite.mjs', url, alice, cluster.token(alice), bob, cluster.token(bob)];
  const { stdout } = await run(file, suite, { cwd: project, timeout: 50_000 });
  expect(stdout).toBe('ok\n');
});
