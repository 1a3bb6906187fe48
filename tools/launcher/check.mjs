/** `npm run check`: types, format, lint, unit tests and import rules, without any service. */
import { join } from 'node:path';
import { runInForeground } from './foreground.mjs';
import { installRoot } from './runtime.mjs';

/**
 * Runs every step even if an earlier one failed, so that one run shows everything to fix.
 * @param {string} node
 * @param {string} vitest
 * @returns {Promise<number>} the exit code
 */
export async function check(node, vitest) {
  /** @param {string} name */
  const tool = (name) => join(installRoot, 'node_modules', '.bin', name);
  /** @type {[name: string, command: string[]][]} */
  const steps = [
    ['types', [tool('tsc'), '-p', '.']],
    ['format', [tool('oxfmt'), '--check']],
    ['types of the launcher', [tool('tsc'), '-p', 'tools/launcher']],
    ['lint', [tool('oxlint'), '--type-aware', '--deny-warnings']],
    ['unit tests and import rules', [node, vitest, 'run', '--project', 'unit']],
  ];
  const started = Date.now();
  const failed = [];
  for (const [name, command] of steps) {
    process.stdout.write(`check: ${name} ...\n`);
    const stepStarted = Date.now();
    const code = await runInForeground(command);
    if (code > 128) return code; // interrupted
    process.stdout.write(`check: ${name}: ${code === 0 ? 'ok' : 'FAILED'} in ${seconds(stepStarted)} s\n`);
    if (code !== 0) failed.push(name);
  }
  const result = failed.length === 0 ? 'all ok' : `failed: ${failed.join(', ')}`;
  process.stdout.write(`check: ${result} in ${seconds(started)} s\n`);
  return failed.length === 0 ? 0 : 1;
}

/** @param {number} since */
const seconds = (since) => ((Date.now() - since) / 1000).toFixed(1);
