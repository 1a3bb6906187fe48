/**
 * The private Redis of `npm start`: append-only file under DATA_DIR, loopback only, with a password. It is restarted
 * when it dies.
 */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { redisSettings } from '../harness/redis-settings.mjs';
import { Failure } from './failure.mjs';
import { describeEnd, keepRunning } from './processes.mjs';
import { freePort } from './ready.mjs';

const host = '127.0.0.1';
/** Another program may take a port between our check and Redis' bind. */
const portTries = 5;
const keptLines = 20;
/** Redis and Valkey log this after they have bound their port. */
const boundLine = /Server initialized|Ready to accept connections/;

/**
 * @typedef {object} Options
 * @property {string} binary
 * @property {string} dir the directory of its files; created if absent
 * @property {string} password
 * @property {number | null} lastPort tried first
 * @property {AbortSignal} signal
 * @property {(text: string) => void} say
 * @property {(pid: number, port: number) => void} onStart after every start, even before it is ready
 */
/** @typedef {{url: string, stop: (graceMs: number) => Promise<boolean>}} PrivateRedis */

/**
 * @param {Options} options
 * @returns {Promise<PrivateRedis>} once it has loaded its data and answers
 */
export async function startRedis(options) {
  mkdirSync(options.dir, { recursive: true });
  for (let attempt = 1; ; attempt++) {
    const port =
      (attempt === 1 && options.lastPort ? await freePort(options.lastPort, host) : undefined) ??
      (await freePort(0, host));
    if (port === undefined) throw new Failure('found no free port for Redis');
    const result = await tryPort(port, options);
    if ('url' in result) return result;
    if (attempt === portTries || !result.output.includes('Address already in use')) {
      throw new Failure(`Redis ${result.end} before it was ready; it said:\n${result.output}`);
    }
  }
}

/**
 * @param {number} port
 * @param {Options} options
 * @returns {Promise<PrivateRedis | {end: string, output: string}>}
 */
async function tryPort(port, { binary, dir, password, signal, say, onStart }) {
  /** @type {string[]} */
  const lines = [];
  let ready = false;
  let pid = 0;
  let bound = false;
  const giveUp = new AbortController();
  let end = '';

  const kept = keepRunning({
    command: [binary, writeSettings(port, dir, password)],
    cwd: dir,
    env: process.env,
    onLine: (line) => {
      lines.push(line);
      if (lines.length > keptLines) lines.shift();
      bound ||= boundLine.test(line);
    },
    onStart: (started) => {
      pid = started;
      onStart(started, port);
    },
    onEnd: (ended) => {
      end = describeEnd(ended);
      if (ready)
        say(`${end}, starting it again in ${ended.pauseMs / 1000} s; its last lines:\n${lines.slice(-5).join('\n')}`);
      else giveUp.abort();
      return ready;
    },
  });

  try {
    await untilLoaded(
      { pid: () => pid, bound: () => bound, port, password },
      AbortSignal.any([signal, giveUp.signal]),
      say,
    );
  } catch (error) {
    await kept.stop(2_000);
    if (signal.aborted || !giveUp.signal.aborted) throw error;
    return { end, output: lines.join('\n') };
  }
  ready = true;
  return { url: `redis://:${encodeURIComponent(password)}@${host}:${port}`, stop: kept.stop };
}

/**
 * Its settings go into a file that only its owner can read: other users of the machine can see process arguments.
 * @param {number} port
 * @param {string} dir
 * @param {string} password
 * @returns {string} the path of the file
 */
function writeSettings(port, dir, password) {
  const settings = {
    port,
    bind: host,
    dir,
    requirepass: password,
    ...redisSettings,
    daemonize: 'no',
  };
  const path = join(dir, 'redis.conf');
  const lines = Object.entries(settings).map(([name, value]) => `${name} ${quoted(String(value))}\n`);
  writeFileSync(`${path}.new`, `# Written by every npm start: changes here are lost.\n${lines.join('')}`, {
    mode: 0o600,
  });
  renameSync(`${path}.new`, path);
  return path;
}

/** @param {string} text */
const quoted = (text) => `"${text.replace(/["\\]/g, '\\$&')}"`;

/**
 * @param {{pid: () => number, bound: () => boolean, port: number, password: string}} redis
 * @param {AbortSignal} signal
 * @param {(text: string) => void} say
 */
async function untilLoaded({ pid, bound, port, password }, signal, say) {
  let told = false;
  for (;;) {
    // Before Redis has bound the port, another program may listen there, which must not get the password.
    const answer = bound() ? await ask(port, password) : '';
    // Another Redis on the same port must not be mistaken for ours.
    if (answer.includes(`process_id:${pid()}\r`)) {
      if (answer.includes('+PONG')) return;
      if (!told && answer.includes('-LOADING')) {
        say('is loading its data');
        told = true;
      }
    }
    await pause(25, undefined, { signal });
  }
}

/**
 * @param {number} port
 * @param {string} password
 * @returns {Promise<string>} empty if nothing answers
 */
function ask(port, password) {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect({ port, host });
    socket.setTimeout(1_000, () => socket.destroy());
    socket.once('connect', () => socket.write(`AUTH ${password}\r\nINFO server\r\nPING\r\n`));
    socket.on('data', (chunk) => {
      answer += chunk;
      if (/^(\+PONG|-.*)\r\n$/m.test(answer)) socket.destroy();
    });
    socket.once('error', () => {});
    socket.once('close', () => resolve(answer));
  });
}
