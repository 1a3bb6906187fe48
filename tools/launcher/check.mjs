/** `npm run check`: types, format, lint, unit tests and import rules, without any service. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { runInForeground } from './foreground.mjs';
import { childEnvironment, installRoot } from './runtime.mjs';

/** @typedef {{name: string, code: number, seconds: string, output: string}} Step */

/**
 * Runs every step even if an earlier one failed, so that one run shows everything to fix. The unit tests mostly wait,
 * so the other steps run one after the other beside them; what they print comes when the tests are done.
 * @param {string} node
 * @param {string} vitest
 * @returns {Promise<number>} the exit code
 */
export async function check(node, vitest) {
  /** @param {string} name */
  const tool = (name) => join(installRoot, 'node_modules', '.bin', name);
  /** @type {[name: string, command: string[]][]} */
  const besides = [
    ['types', [tool('tsc'), '-p', '.']],
    ['format', [tool('oxfmt'), '--check']],
    ['types of the launcher', [tool('tsc'), '-p', 'tools/launcher']],
    ["types of the operators' page", [tool('tsc'), '-p', 'gateway/admin/page']],
    ['types of the client package', [tool('tsc'), '-p', 'sdk', '--noEmit']],
    ['types of the chat app', [tool('tsc'), '-p', 'sdk/app']],
    ['types of the recipes', [tool('tsc'), '-p', 'sdk/recipes']],
    ['lint', [tool('oxlint'), '--type-aware', '--deny-warnings']],
  ];
  const started = Date.now();
  const names = besides.map(([name]) => name).join(', ');
  process.stdout.write(`check: unit tests and import rules; beside them ${names} ...\n`);
  const running = runInTurn(besides);
  const code = await runInForeground([node, vitest, 'run', '--project', 'unit']);
  if (code > 128) return code; // interrupted
  const tests = { name: 'unit tests and import rules', code, seconds: secondsSince(started), output: '' };
  const steps = [...(await running), tests];
  for (const step of steps) {
    if (step.code !== 0) process.stdout.write(step.output);
    process.stdout.write(`check: ${step.name}: ${step.code === 0 ? 'ok' : 'FAILED'} in ${step.seconds} s\n`);
  }
  const failed = steps.filter((step) => step.code !== 0).map(({ name }) => name);
  const result = failed.length === 0 ? 'all ok' : `failed: ${failed.join(', ')}`;
  process.stdout.write(`check: ${result} in ${secondsSince(started)} s\n`);
  return failed.length === 0 ? 0 : 1;
}

/**
 * @param {[name: string, command: string[]][]} commands
 * @returns {Promise<Step[]>}
 */
async function runInTurn(commands) {
  const steps = [];
  for (const [name, command] of commands) {
    const started = Date.now();
    const { code, output } = await runWithOutput(command);
    steps.push({ name, code, output, seconds: secondsSince(started) });
  }
  return steps;
}

/**
 * @param {string[]} command
 * @returns {Promise<{code: number, output: string}>} `output`: what it printed on stdout and stderr
 */
function runWithOutput([file = '', ...args]) {
  const child = spawn(file, args, {
    cwd: installRoot,
    env: childEnvironment(process.env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: 1, output: `${file} cannot be started: ${error.message}\n` }));
    child.once('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

/** @param {number} since */
const secondsSince = (since) => ((Date.now() - since) / 1000).toFixed(1);
