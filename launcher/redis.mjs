/** The private Redis of `npm start`: append-only file under DATA_DIR, loopback only, started again when it dies. */
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Failure } from './failure.mjs';
import { describeEnd, keepRunning } from './processes.mjs';
import { freePort } from './ready.mjs';

const host = '127.0.0.1';
/** Another program may take a port between our look and Redis' bind. */
const portTries = 5;
const keptLines = 20;

/**
 * @typedef {object} Options
 * @property {string} binary
 * @property {string} dir where its files are; made when absent
 * @property {number | null} lastPort tried first
 * @property {AbortSignal} signal
 * @property {(text: string) => void} say
 * @property {(pid: number, port: number) => void} onStart after every start, also before it is ready
 */
/** @typedef {{url: string, stop: (graceMs: number) => Promise<boolean>}} PrivateRedis */

/**
 * @param {Options} options
 * @returns {Promise<PrivateRedis>} when it has loaded its data and answers
 */
export async function startRedis(options) {
  mkdirSync(options.dir, { recursive: true });
  for (let attempt = 1; ; attempt++) {
    const port = (attempt === 1 && options.lastPort ? await freePort(options.lastPort, host) : undefined)
      ?? (await freePort(0, host));
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
async function tryPort(port, { binary, dir, signal, say, onStart }) {
  /** @type {string[]} */
  const lines = [];
  let ready = false;
  let pid = 0;
  const giveUp = new AbortController();
  let end = '';

  const kept = keepRunning({
    command: [binary, ...redisArguments(port, dir)],
    cwd: dir,
    env: process.env,
    onLine: (line) => {
      lines.push(line);
      if (lines.length > keptLines) lines.shift();
    },
    onStart: (started) => {
      pid = started;
      onStart(started, port);
    },
    onEnd: (ended) => {
      end = describeEnd(ended);
      if (ready) say(`${end}, starting it again in ${ended.pauseMs / 1000} s; its last lines:\n${lines.slice(-5).join('\n')}`);
      else giveUp.abort();
      return ready;
    },
  });

  try {
    await untilLoaded(() => pid, port, AbortSignal.any([signal, giveUp.signal]), say);
  } catch (error) {
    await kept.stop(2_000);
    if (signal.aborted || !giveUp.signal.aborted) throw error;
    return { end, output: lines.join('\n') };
  }
  ready = true;
  return { url: `redis://${host}:${port}`, stop: kept.stop };
}

/**
 * @param {number} port
 * @param {string} dir
 */
const redisArguments = (port, dir) => [
  ...['--port', String(port)],
  ...['--bind', host],
  ...['--dir', dir],
  ...['--appendonly', 'yes'],
  ...['--appendfsync', 'everysec'],
  ...['--maxmemory-policy', 'noeviction'],
  ...['--save', ''],
  ...['--daemonize', 'no'],
];

/**
 * @param {() => number} pid
 * @param {number} port
 * @param {AbortSignal} signal
 * @param {(text: string) => void} say
 */
async function untilLoaded(pid, port, signal, say) {
  let told = false;
  for (;;) {
    const answer = await ask(port);
    // A stranger's Redis on the same port is not taken for ours.
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
 * @returns {Promise<string>} empty when nobody answers
 */
function ask(port) {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect({ port, host });
    socket.setTimeout(1_000, () => socket.destroy());
    socket.once('connect', () => socket.write('INFO server\r\nPING\r\n'));
    socket.on('data', (chunk) => {
      answer += chunk;
      if (/^(\+PONG|-.*)\r\n$/m.test(answer)) socket.destroy();
    });
    socket.once('error', () => {});
    socket.once('close', () => resolve(answer));
  });
}
