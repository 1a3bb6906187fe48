import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { wallMs } from '../../timing/clocks.ts';
import type { ObjectStore } from './objects.ts';

/** A put that has not ended after this time (ms) was killed. */
const abandonedMs = 86_400_000;

const hasCode = (thrown: unknown, code: string): boolean =>
  thrown instanceof Error && 'code' in thrown && thrown.code === code;

async function synced(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Makes a folder with those above it, each of them durable in the one above. */
async function makeFolder(path: string): Promise<void> {
  const highest = await mkdir(path, { recursive: true });
  if (highest === undefined) return;
  for (let made = path; ; made = dirname(made)) {
    await synced(dirname(made));
    if (made === highest) return;
  }
}

/**
 * Objects as files: written beside their place, synced, and only then put there by a rename, or a link if none may be.
 */
export function openFolder(folder: string): ObjectStore {
  const root = resolve(folder);
  const pathOf = (name: string): string => {
    if (!/^[\w-]+\/[\w~-][\w~.-]*$/.test(name)) throw new Error(`not the name of an object: ${name}`);
    return join(root, name);
  };

  /** What a killed put has left beside the place of its object. */
  async function clear(path: string): Promise<void> {
    const found = await stat(path).catch(() => null);
    if (found !== null && wallMs() - found.mtimeMs > abandonedMs) await rm(path, { force: true });
  }

  /** Writes a file beside the place of the object, and has it put there. */
  async function write(
    name: string,
    bytes: Uint8Array,
    intoPlace: (beside: string, path: string) => Promise<void>,
  ): Promise<void> {
    const path = pathOf(name);
    await makeFolder(dirname(path));
    const beside = `${path}.${randomUUID()}.part`;
    try {
      const file = await open(beside, 'wx');
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await intoPlace(beside, path);
    } catch (thrown) {
      await rm(beside, { force: true });
      throw thrown;
    }
    await synced(dirname(path));
  }

  return {
    put: async (name, bytes) => write(name, bytes, rename),

    putNew: (name, bytes) =>
      write(name, bytes, async (beside, path) => {
        await link(beside, path);
        await rm(beside);
      }).then(
        () => true,
        (thrown: unknown) => {
          if (hasCode(thrown, 'EEXIST')) return false;
          throw thrown;
        },
      ),

    get: async (name) => readFile(pathOf(name)),

    remove: async (name) => rm(pathOf(name), { force: true }),

    async list(prefix) {
      const files = await readdir(join(root, prefix)).catch((thrown: unknown) => {
        if (hasCode(thrown, 'ENOENT')) return [];
        throw thrown;
      });
      const parts = files.filter((file) => file.endsWith('.part'));
      await Promise.all(parts.map((file) => clear(join(root, prefix, file))));
      return files.filter((file) => !parts.includes(file)).map((file) => `${prefix}/${file}`);
    },
  };
}
