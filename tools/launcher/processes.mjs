/** Keeps one child process running: restarts it when it ends, with growing pauses, until it is stopped. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const firstPauseMs = 500;
const longestPauseMs = 10_000;
/** A process that ran this long was healthy: its next pause is the shortest again. */
const wellAfterMs = 30_000;

/** @typedef {{code: number | null, signal: NodeJS.Signals | null, pauseMs: number}} End */
/**
 * @typedef {object} Options
 * @property {string[]} command
 * @property {string} cwd
 * @property {NodeJS.ProcessEnv} env
 * @property {(line: string) => void} onLine of stdout and stderr
 * @property {(pid: number) => void} onStart after every start
 * @property {(end: End) => boolean} onEnd not called for a requested end; true: start it again after pauseMs
 */
/** @typedef {{stop: (graceMs: number) => Promise<boolean>}} Kept `stop` resolves to false if it had to kill */

/**
 * @param {Options} options
 * @returns {Kept}
 */
export function keepRunning({ command, cwd, env, onLine, onStart, onEnd }) {
  const [file = '', ...args] = command;
  let pauseMs = firstPauseMs;
  let stopping = false;
  /** @type {NodeJS.Timeout | undefined} */
  let restart;
  /** @type {number | undefined} the pid while it runs */
  let running;
  /** @type {Promise<void>} */
  let ended = Promise.resolve();

  function start() {
    const startedAt = Date.now();
    // A process group of its own: Ctrl-C in the terminal reaches only the launcher, which then stops everything in
    // order.
    const child = spawn(file, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const outputs = [child.stdout, child.stderr];
    for (const output of outputs) createInterface({ input: output, crlfDelay: Infinity }).on('line', onLine);
    const allRead = new Promise((resolve) => child.once('close', resolve));

    ended = new Promise((resolve) => {
      child.once('error', (error) => {
        onLine(`cannot be started: ${error.message}`);
        void finish(127, null);
      });
      child.once('exit', (code, signal) => void finish(code, signal));

      /**
       * @param {number | null} code
       * @param {NodeJS.Signals | null} signal
       */
      async function finish(code, signal) {
        const pid = running;
        running = undefined;
        // Its own children must not outlive it; they could also keep the pipes open.
        if (pid !== undefined) signalGroup(pid, 'SIGKILL');
        await Promise.race([allRead, new Promise((go) => setTimeout(go, 300))]);
        resolve();
        if (stopping) return;
        if (Date.now() - startedAt >= wellAfterMs) pauseMs = firstPauseMs;
        if (!onEnd({ code, signal, pauseMs })) return;
        restart = setTimeout(start, pauseMs);
        pauseMs = Math.min(pauseMs * 2, longestPauseMs);
      }
    });
    if (child.pid === undefined) return;
    running = child.pid;
    onStart(child.pid);
  }

  start();
  return {
    async stop(graceMs) {
      stopping = true;
      clearTimeout(restart);
      const pid = running;
      if (pid === undefined) return true;
      signalGroup(pid, 'SIGTERM');
      let killed = false;
      const kill = setTimeout(() => {
        killed = true;
        signalGroup(pid, 'SIGKILL');
      }, graceMs);
      await ended;
      clearTimeout(kill);
      return !killed;
    },
  };
}

/**
 * Signals the process and everything it started; a group that is gone is not an error.
 * @param {number} pid
 * @param {NodeJS.Signals} signal
 */
export function signalGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error;
  }
}

/** @param {{code: number | null, signal: NodeJS.Signals | null}} end */
export const describeEnd = ({ code, signal }) =>
  signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
