/** Checks whether a process is ready, and which ports are free. */
import { get } from 'node:http';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** Interval between two requests. */
const askEveryMs = 50;
const answerWithinMs = 2_000;

/**
 * Resolves when the process answers 200 on /readyz.
 * @param {() => string | undefined} origin undefined until the process' address is known
 * @param {AbortSignal} signal
 */
export async function untilReady(origin, signal) {
  for (;;) {
    const at = origin();
    if (at !== undefined && (await answersReady(at))) return;
    await pause(askEveryMs, undefined, { signal });
  }
}

/**
 * @param {string} origin
 * @returns {Promise<boolean>}
 */
function answersReady(origin) {
  return new Promise((resolve) => {
    const request = get(`${origin}/readyz`, { agent: false, timeout: answerWithinMs }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(false));
    request.once('close', () => resolve(false));
  });
}

/**
 * The address at which this machine reaches a process that listens on `host`.
 * @param {string} host
 * @param {number} port
 */
export function originOf(host, port) {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

/**
 * The port itself if it is free, or any free one for 0; undefined if it is taken.
 * @param {number} port
 * @param {string} host
 * @returns {Promise<number | undefined>}
 */
export function freePort(port, host) {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (/** @type {NodeJS.ErrnoException} */ error) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    );
    server.listen(port, host, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
    });
  });
}
