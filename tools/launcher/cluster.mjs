/** The processes of the Procfile together: started, watched until ready, kept running, stopped. */
import { setTimeout as pause } from 'node:timers/promises';
import { Failure } from './failure.mjs';
import { listeningPort } from './log-lines.mjs';
import { processId } from './process-id.mjs';
import { describeEnd, keepRunning } from './processes.mjs';
import { originOf, untilReady } from './ready.mjs';

/** A process that has not logged its port after this time is polled at the port it was given. */
const sayPortWithinMs = 3_000;
const remindEveryMs = 10_000;
/** A whole stop may take ten seconds; the rest of them is for Redis. */
const stopWithinMs = 8_000;

/** @typedef {import('./procfile.mjs').PlannedProcess} PlannedProcess */
/** @typedef {{name: string, line: string, port: number, id: import('./process-id.mjs').ProcessId | null}} Running */
/**
 * @typedef {object} Options
 * @property {PlannedProcess[]} planned
 * @property {string} cwd
 * @property {NodeJS.ProcessEnv} env for all; each gets its own PORT
 * @property {string} host
 * @property {(name: string, line: string) => void} print
 * @property {(text: string) => void} say
 * @property {() => void} onChange a process started, ended, or logged its port
 */

/** @param {Options} options */
export function startCluster({ planned, cwd, env, host, print, say, onChange }) {
  const stopping = new AbortController();
  const members = planned.map((plan) => startMember(plan));

  /** @param {PlannedProcess} plan */
  function startMember({ name, line, command, port: plannedPort }) {
    /** @type {Running} */
    const running = { name, line, port: plannedPort, id: null };
    /** Whether the process has logged its port; otherwise the planned one is assumed. */
    let portKnown = false;
    let everReady = false;
    let thisStart = new AbortController();
    const { promise: ready, resolve, reject } = withResolvers();
    ready.catch(() => {});

    const kept = keepRunning({
      command,
      cwd,
      env: { ...env, PORT: String(plannedPort) },
      onLine(text) {
        print(name, text);
        const port = listeningPort(text, line);
        if (port === undefined) return;
        if (port !== plannedPort && plannedPort !== 0) say(`${name} listens on port ${port}: ${plannedPort} was taken`);
        running.port = port;
        portKnown = true;
        onChange();
      },
      onStart(pid) {
        running.id = processId(pid);
        portKnown = false;
        thisStart = new AbortController();
        onChange();
        watch(AbortSignal.any([thisStart.signal, stopping.signal])).catch(() => {});
      },
      onEnd(end) {
        thisStart.abort();
        running.id = null;
        onChange();
        // A kill from outside is not its fault. A process that ends by itself before it was ever ready has wrong
        // settings.
        const hopeless = !everReady && end.signal === null;
        if (hopeless) reject(new Failure(`${name} ${describeEnd(end)} before it was ready: see its lines above`));
        else say(`${name} ${describeEnd(end)}, starting it again in ${end.pauseMs / 1000} s`);
        return !hopeless;
      },
    });

    /** @param {AbortSignal} signal */
    async function watch(signal) {
      const assumeFrom = plannedPort === 0 ? Infinity : Date.now() + sayPortWithinMs;
      await untilReady(() => (portKnown || Date.now() > assumeFrom ? originOf(host, running.port) : undefined), signal);
      if (everReady) say(`${name} is ready again`);
      everReady = true;
      resolve(undefined);
    }

    return { running, ready, isReady: () => everReady, stop: kept.stop };
  }

  return {
    /** @returns {Running[]} */
    running: () => members.map(({ running }) => running),

    /**
     * Resolves when every process has been ready once.
     * @param {AbortSignal} signal
     * @throws {Failure} if one of them ended by itself before that
     */
    async untilReady(signal) {
      const done = new AbortController();
      void remind(AbortSignal.any([signal, done.signal, stopping.signal]));
      try {
        await Promise.race([Promise.all(members.map(({ ready }) => ready)), untilAborted(signal)]);
      } finally {
        done.abort();
      }
    },

    async stop() {
      stopping.abort();
      await Promise.all(
        members.map(async ({ running, stop }) => {
          const inTime = await stop(stopWithinMs);
          running.id = null;
          if (!inTime) say(`${running.name} did not end within ${stopWithinMs / 1000} s and was killed`);
        }),
      );
      onChange();
    },
  };

  /** @param {AbortSignal} signal */
  async function remind(signal) {
    try {
      for (;;) {
        await pause(remindEveryMs, undefined, { signal });
        const late = members.filter(({ isReady }) => !isReady()).map(({ running }) => running.name);
        say(`still waiting for ${late.join(', ')} to be ready`);
      }
    } catch {
      // all ready, or stopping
    }
  }
}

/**
 * Never resolves.
 * @param {AbortSignal} signal
 * @returns {Promise<never>}
 */
export function untilAborted(signal) {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** Promise.withResolvers, which Node 20 does not have. */
function withResolvers() {
  /** @type {(value: unknown) => void} */
  let resolve = () => {};
  /** @type {(reason: unknown) => void} */
  let reject = () => {};
  const promise = new Promise((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
