/**
 * Installs missing parts; if nothing is missing, it costs one hash of the lock file. All progress goes to stderr,
 * because stdout belongs to the command that runs afterwards.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createProgress } from '../progress/progress.mjs';
import { Failure } from './failure.mjs';
import { childEnvironment, installRoot, nodePath } from './runtime.mjs';

const lockFile = join(installRoot, 'package-lock.json');
const markFile = join(installRoot, 'node_modules', '.restante-lock');
const hiddenLockFile = join(installRoot, 'node_modules', '.package-lock.json');
/** npm first undoes its work, which can take longer than a stop may. The next npm ci starts from scratch anyway. */
const graceMs = 2_000;

/** @param {string} text */
const say = (text) => process.stderr.write(`${text}\n`);

/**
 * @param {{redis: boolean, signal?: AbortSignal | undefined}} options `redis`: a redis-server binary is needed
 * @throws {Failure} if something is missing and could not be installed
 */
export async function setup({ redis, signal }) {
  await installDependencies(signal);
  if (redis && redisBinary() === undefined) await installRedis();
  signal?.throwIfAborted();
}

/**
 * The Redis (or Valkey) server on PATH; undefined if there is none.
 * @returns {string | undefined}
 */
export function redisBinary() {
  return findOnPath('redis-server') ?? findOnPath('valkey-server');
}

/** @param {AbortSignal | undefined} signal */
async function installDependencies(signal) {
  const lock = readFileSync(lockFile);
  const hash = createHash('sha256').update(lock).digest('hex');
  const installed = readText(markFile) === hash || matchesLock(lock.toString(), readText(hiddenLockFile));
  if (!installed || nodePath() === undefined) {
    // --include: a production setting of npm must not leave out the test tools or Node 24.
    const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error', '--include=dev', '--include=optional'];
    // Under `npm run`, npm names its own script. Use that npm, whatever is on PATH.
    const npm = process.env.npm_execpath;
    const command = npm?.endsWith('.js') ? [process.execPath, npm, ...args] : ['npm', ...args];
    await step('installing npm dependencies (npm ci)', command, {
      advice: 'npm ci failed, see above: check the network and the npm registry setting, then try again',
      signal,
      count: packagesOf(lock.toString()),
    });
    await checkNode();
  }
  if (readText(markFile) !== hash) leaveMark(hash);
}

/**
 * Counts the packages of the lock file that are there already, and those that this platform needs.
 * @param {string} lockText
 * @returns {() => {done: number, total: number}}
 */
function packagesOf(lockText) {
  /** @type {(names: string[] | undefined, name: string) => boolean} */
  const fits = (names, name) => names === undefined || names.includes(name);
  const files = Object.entries(JSON.parse(lockText).packages)
    .filter(([path, { os, cpu }]) => path !== '' && fits(os, process.platform) && fits(cpu, process.arch))
    .map(([path]) => join(installRoot, path, 'package.json'));
  return () => ({ done: files.filter((file) => existsSync(file)).length, total: files.length });
}

/** @param {string} hash */
function leaveMark(hash) {
  try {
    writeFileSync(markFile, hash);
  } catch {
    // The files belong to somebody else and are read-only for us: the next start compares once more.
  }
}

async function checkNode() {
  const node = nodePath();
  if (node === undefined || (await run([node, '--version'])).code !== 0) {
    throw new Failure(
      `no Node 24 came with the npm dependencies for ${process.platform} on ${process.arch}: ` +
        'install Node 24.12 or newer yourself and try again',
    );
  }
}

/**
 * True if node_modules already matches the lock file, for example after `npm install` by hand.
 * @param {string} lockText
 * @param {string | undefined} installedText npm's own record inside node_modules
 */
function matchesLock(lockText, installedText) {
  if (installedText === undefined) return false;
  const installed = JSON.parse(installedText).packages ?? {};
  return Object.entries(JSON.parse(lockText).packages).every(([path, wanted]) => {
    if (path === '') return true;
    const found = installed[path];
    // Optional packages are left out on platforms that they do not support.
    return found ? found.integrity === wanted.integrity : wanted.optional === true;
  });
}

/** Must not be interrupted: half an installation would need repair by hand, and it takes only seconds. */
async function installRedis() {
  const missing = 'no Redis: neither redis-server nor valkey-server is on PATH, and REDIS_URL is not set';
  const byHand = 'sudo apt-get update && sudo apt-get install -y redis-server';
  if (findOnPath('apt-get') === undefined) {
    throw new Failure(`${missing}; install it with your package manager (for example: brew install redis)`);
  }
  const root = process.getuid?.() === 0;
  if (!root && (await run(['sudo', '-n', 'true'])).code !== 0) {
    throw new Failure(`${missing}; install it with: ${byHand}`);
  }
  const install = 'apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y redis-server';
  const shell = ['sh', '-c', install];
  await step('installing redis-server (apt-get)', root ? shell : ['sudo', '-n', ...shell], {
    advice: `apt-get failed, see above; install Redis by hand with: ${byHand}, or set REDIS_URL`,
  });
  if (redisBinary() === undefined) throw new Failure(`${missing}; install it with: ${byHand}`);
}

/**
 * One step with its progress; its output is shown only if it fails.
 * @param {string} what
 * @param {string[]} command
 * @param {{advice: string, signal?: AbortSignal | undefined, count?: () => {done: number, total: number}}} options
 * `count`: what is done and what there is to do, if that is known
 */
async function step(what, command, { advice, signal, count }) {
  say(`restante: ${what}`);
  const progress = createProgress(process.stderr, { env: process.env });
  progress.doing(() => {
    if (count === undefined) return what;
    const { done, total } = count();
    return { done, total, text: `${done} of ${total} packages` };
  });
  const started = Date.now();
  const { code, output } = await run(command, signal)
    .catch((error) => {
      progress.say('restante: interrupted');
      throw error;
    })
    .finally(progress.end);
  say(`restante: ${code === 0 ? `done in ${((Date.now() - started) / 1000).toFixed(1)} s` : 'failed'}`);
  if (code === 0) return;
  if (output !== '') say(output.trimEnd());
  throw new Failure(advice);
}

/**
 * @param {string[]} command
 * @param {AbortSignal} [signal]
 * @returns {Promise<{code: number, output: string}>} code 127 if it could not be started
 */
function run([file = '', ...args], signal) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: installRoot,
      env: childEnvironment(process.env),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    /** @param {Buffer} chunk */
    const collect = (chunk) => (output += chunk);
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    /** @type {NodeJS.Timeout | undefined} */
    let hard;
    const abort = () => {
      child.kill('SIGTERM');
      hard = setTimeout(() => child.kill('SIGKILL'), graceMs);
    };
    signal?.addEventListener('abort', abort, { once: true });
    child.once('error', (error) => resolve({ code: 127, output: error.message }));
    child.once('close', (code) => {
      clearTimeout(hard);
      signal?.removeEventListener('abort', abort);
      if (signal?.aborted) reject(signal.reason);
      else resolve({ code: code ?? 1, output });
    });
  });
}

/** @param {string} name */
function findOnPath(name) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    if (folder === '') continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not here
    }
  }
  return undefined;
}

/** @param {string} path */
function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
