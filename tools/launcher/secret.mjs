/**
 * Secrets generated once per DATA_DIR, so that they survive a restart. Only their owner can read them.
 */
import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from './failure.mjs';

/**
 * The secret that signs tokens.
 * @param {string} dataDir
 */
export const loadOrMakeSecret = (dataDir) => loadOrMake(join(dataDir, 'auth-secret'));

/**
 * The password of the private Redis.
 * @param {string} dataDir
 */
export const loadOrMakeRedisPassword = (dataDir) => loadOrMake(join(dataDir, 'redis-password'));

/**
 * @param {string} path
 * @returns {string} at least 32 bytes
 */
function loadOrMake(path) {
  const found = read(path);
  if (found === undefined) {
    // Written to another file and linked into place: a kill in between never leaves half a secret under the final name.
    const aside = `${path}.${process.pid}`;
    writeFileSync(aside, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 });
    linkSync(aside, path);
    unlinkSync(aside);
    return loadOrMake(path);
  }
  if (Buffer.byteLength(found) < 32)
    throw new Failure(`${path} holds less than 32 bytes: delete it to have a new one made`);
  return found;
}

/** @param {string} path */
function read(path) {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT') return undefined;
    throw error;
  }
}
