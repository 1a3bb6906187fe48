/**
 * DATA_DIR/run.json records what `npm start` runs. The next start reads it (refusal, leftovers, the Redis port).
 * Operator commands use it to find Redis and the gateways. redisUrl may contain a password, so only the owner can read
 * the file.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @typedef {import('./process-id.mjs').ProcessId} ProcessId */
/**
 * @typedef {object} RunFile
 * @property {ProcessId | null} launcher null after a clean stop
 * @property {string | null} redisUrl used by the processes; null after a clean stop
 * @property {ProcessId | null} redis the private Redis; null if REDIS_URL was given
 * @property {number | null} redisPort the last port of the private Redis, which the next start tries first
 * @property {(ProcessId & {name: string, port: number})[]} processes
 * @property {string} host the host on which the processes listen
 * @property {number[]} web
 */

/** @param {string} dataDir */
const pathIn = (dataDir) => join(dataDir, 'run.json');

/**
 * @param {string} dataDir
 * @returns {RunFile | undefined} undefined if there is none, or it cannot be parsed
 */
export function readRunFile(dataDir) {
  try {
    return JSON.parse(readFileSync(pathIn(dataDir), 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * @param {string} dataDir
 * @param {RunFile} content
 */
export function writeRunFile(dataDir, content) {
  const path = pathIn(dataDir);
  writeFileSync(`${path}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
