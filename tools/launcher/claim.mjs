/** One launcher per DATA_DIR: two would run two Redis servers on the same append-only file and destroy it. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { Failure } from './failure.mjs';
import { isRunning } from './process-id.mjs';
import { readRunFile } from './run-file.mjs';

/**
 * @param {string} dataDir its real path
 * @returns {Promise<() => void>} releases the claim
 * @throws {Failure} if another launcher holds it
 */
export async function claim(dataDir) {
  const other = readRunFile(dataDir)?.launcher;
  if (other && isRunning(other)) throw refusal(dataDir, `process ${other.pid}`);
  if (process.platform !== 'linux') return () => {};

  // An abstract socket can be bound only once, and disappears with its process. So of two launchers starting at the
  // same moment only one gets it, and a killed one leaves nothing behind.
  const name = createHash('sha256').update(dataDir).digest('hex').slice(0, 32);
  const server = createServer((socket) => socket.destroy());
  await new Promise((resolve, reject) => {
    server.once('error', () => reject(refusal(dataDir, 'another process')));
    server.listen(`\0restante-${name}`, () => resolve(undefined));
  });
  server.unref();
  return () => server.close();
}

/**
 * @param {string} dataDir
 * @param {string} who
 */
const refusal = (dataDir, who) =>
  new Failure(`already running on ${dataDir} (${who}): stop that one first, or set DATA_DIR to another folder`);
