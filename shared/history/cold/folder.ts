import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { wallMs } from '../../timing/clocks.ts';
import type { ObjectStore } from './objects.ts';

/** A put that has not ended after this time (ms) was killed. */
const abandonedMs = 86_400_000;

const isMissing = (thrown: unknown): boolean => thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';

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

/** Objects as files: written beside their place, synced, and only then put there by a rename. */
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

  return {
    async put(name, bytes) {
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
        await rename(beside, path);
      } catch (thrown) {
        await rm(beside, { force: true });
        throw thrown;
      }
      await synced(dirname(path));
    },

    get: async (name) => readFile(pathOf(name)),

    remove: async (name) => rm(pathOf(name), { force: true }),

    async list(prefix) {
      const files = await readdir(join(root, prefix)).catch((thrown: unknown) => {
        if (isMissing(thrown)) return [];
        throw thrown;
      });
      const parts = files.filter((file) => file.endsWith('.part'));
      await Promise.all(parts.map((file) => clear(join(root, prefix, file))));
      return files.filter((file) => !parts.includes(file)).map((file) => `${prefix}/${file}`);
    },
  };
}
