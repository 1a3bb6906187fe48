/**
 * `node tools/launcher/run.mjs <test|check|bench|chaos|token|cli> [arguments]`: sets up, then runs the command on Node
 * 24 in place of this process, with the same input, output and exit code. Prints nothing on stdout itself.
 */
import { join } from 'node:path';
import { check } from './check.mjs';
import { Failure } from './failure.mjs';
import { runInForeground, signals } from './foreground.mjs';
import { installRoot, nodePath } from './runtime.mjs';
import { setup } from './setup.mjs';

const vitest = join(installRoot, 'node_modules', 'vitest', 'vitest.mjs');

/** @type {Record<string, {redis: boolean, run: (node: string, args: string[]) => Promise<number>}>} */
const commands = {
  test: {
    redis: true,
    run: (node, args) => {
      process.stderr.write('restante: starting the tests\n');
      return runInForeground([node, vitest, 'run', ...args]);
    },
  },
  check: { redis: false, run: (node) => check(node, vitest) },
  bench: { redis: true, run: (node, args) => runInForeground([node, 'bench/main.ts', ...args]) },
  chaos: {
    redis: true,
    run: (node, args) => {
      // A run starts a dozen processes of the same code: half of a start is compiling.
      process.env.NODE_COMPILE_CACHE ??= join(installRoot, 'node_modules', '.cache', 'node-compile');
      return runInForeground([node, 'tools/rehearsal/chaos/main.ts', ...args]);
    },
  },
  token: { redis: false, run: (node, args) => runInForeground([node, 'cli/token.ts', ...args]) },
  cli: { redis: false, run: (node, args) => runInForeground([node, 'cli/main.ts', ...args]) },
};

const [name = '', ...args] = process.argv.slice(2);
try {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined)
    throw new Failure(`unknown command "${name}"; the commands are: ${Object.keys(commands).join(', ')}`);
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort(new Failure('interrupted'));
  for (const signal of signals) process.on(signal, interrupt);
  await setup({ redis: command.redis, signal: interrupted.signal });
  for (const signal of signals) process.off(signal, interrupt);
  const node = nodePath();
  if (node === undefined) throw new Failure('no Node 24 was found');
  process.exit(await command.run(node, args));
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  process.stderr.write(`restante: ${error.message}\n`);
  process.exit(1);
}
