/**
 * Compiles the chat app for browsers when one of its sources is newer than what was compiled. It becomes one script: a
 * browser takes longer to ask the service worker for many files than to run what is in them.
 */
import { execFile } from 'node:child_process';
import { readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { installRoot } from './runtime.mjs';

const run = promisify(execFile);
const appDir = join(installRoot, 'sdk', 'app');
const outDir = join(appDir, 'dist');
const compiled = join(outDir, 'main.js');
const sources = [appDir, join(installRoot, 'sdk', 'src')];
/** How it is compiled, and when a package was installed that is joined into it. */
const besides = [fileURLToPath(import.meta.url), join(installRoot, 'node_modules', '.package-lock.json')];

/**
 * Types are not checked here; `npm run check` does that.
 * @param {string} node
 * @returns {Promise<string | null>} what went wrong, or null
 */
export async function compileChatApp(node) {
  if (newest() <= changed(compiled)) return null;
  // Aside, and then put into place in one step: a gateway must never read half a file.
  const aside = join(appDir, `dist.${process.pid}`);
  const rolldown = join(installRoot, 'node_modules', 'rolldown', 'bin', 'cli.mjs');
  const entries = ['main.ts', 'sw.ts'].map((name) => join(appDir, name));
  try {
    await run(node, [rolldown, ...entries, '--dir', aside, '--sourcemap'], { cwd: installRoot });
    rmSync(outDir, { recursive: true, force: true });
    renameSync(aside, outDir);
    return null;
  } catch (error) {
    // Another start may have put the same into place.
    if (newest() <= changed(compiled)) return null;
    const { stderr = '', message } = /** @type {Error & {stderr?: string}} */ (error);
    return stderr.trim() || message;
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

/** When something was changed last that is compiled (ms). */
function newest() {
  return Math.max(...[...sources.flatMap(filesIn), ...besides].map(changed));
}

/**
 * @param {string} folder
 * @returns {string[]}
 */
function filesIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name.startsWith('dist') ? [] : filesIn(path);
    return /\.ts$|^tsconfig\.json$/.test(entry.name) ? [path] : [];
  });
}

/** @param {string} path */
function changed(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
