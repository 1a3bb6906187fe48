/**
 * DATA_DIR/run.json: what `npm start` has running, for the next start (refusal, leftovers, the Redis port) and for the
 * operator commands, which find Redis and the gateways by it. It may hold a password in redisUrl: only its owner reads
 * it.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @typedef {import('./process-id.mjs').ProcessId} ProcessId */
/**
 * @typedef {object} RunFile
 * @property {ProcessId | null} launcher null after a clean stop
 * @property {string | null} redisUrl what the processes use; null after a clean stop
 * @property {ProcessId | null} redis the private Redis; null when REDIS_URL was given
 * @property {number | null} redisPort the private Redis' last port, which the next start tries first
 * @property {(ProcessId & {name: string, port: number})[]} processes
 * @property {string} host where the processes listen
 * @property {number[]} web
 */

/** @param {string} dataDir */
const pathIn = (dataDir) => join(dataDir, 'run.json');

/**
 * @param {string} dataDir
 * @returns {RunFile | undefined} undefined when there is none, or it cannot be understood
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
