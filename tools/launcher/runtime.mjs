/**
 * Chooses the Node that runs the project, and its environment. The launcher itself runs on Node 20. Everything it
 * starts runs on Node 24, which comes with the npm dependencies.
 */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The directory of package.json and node_modules. */
export const installRoot = fileURLToPath(new URL('../..', import.meta.url)).replace(/[/\\]$/, '');

const binaries = join(installRoot, 'node_modules', '.bin');

const ownNodeIsNewEnough = () => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 24 || (major === 24 && minor >= 12);
};

/**
 * The path of a Node that runs TypeScript files directly; undefined if there is none yet.
 * @returns {string | undefined}
 */
export function nodePath() {
  if (ownNodeIsNewEnough()) return process.execPath;
  const installed = join(binaries, process.platform === 'win32' ? 'node.cmd' : 'node');
  return existsSync(installed) ? installed : undefined;
}

/**
 * An environment whose PATH finds `node` and the tools of node_modules first.
 * @param {NodeJS.ProcessEnv} env
 * @returns {NodeJS.ProcessEnv}
 */
export function childEnvironment(env) {
  return { ...env, PATH: [binaries, env.PATH ?? ''].join(delimiter) };
}
