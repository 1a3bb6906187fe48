/**
 * Which Node runs the project, and with which environment. The launcher itself runs on Node 20; everything it starts
 * runs on Node 24, which the npm dependencies bring along.
 */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where package.json and node_modules are. */
export const installRoot = fileURLToPath(new URL('../..', import.meta.url)).replace(/[/\\]$/, '');

const binaries = join(installRoot, 'node_modules', '.bin');

const ownNodeIsNewEnough = () => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 24 || (major === 24 && minor >= 12);
};

/**
 * The path of a Node that runs TypeScript files directly; undefined when there is none yet.
 * @returns {string | undefined}
 */
export function nodePath() {
  if (ownNodeIsNewEnough()) return process.execPath;
  const installed = join(binaries, process.platform === 'win32' ? 'node.cmd' : 'node');
  return existsSync(installed) ? installed : undefined;
}

/**
 * The environment in which `node` and the tools of node_modules are found first.
 * @param {NodeJS.ProcessEnv} env
 * @returns {NodeJS.ProcessEnv}
 */
export function childEnvironment(env) {
  return { ...env, PATH: [binaries, env.PATH ?? ''].join(delimiter) };
}
