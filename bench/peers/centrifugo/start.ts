/** Centrifugo with Redis as its engine: history in streams, and recovery forced on every subscription. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { lastWords } from '../../../tools/harness/python-wheel.ts';
import { findProgram } from '../find-program.ts';
import type { Peer } from '../peer.ts';
import { startProgram } from '../start-program.ts';
import { namespace } from './client.ts';

const run = promisify(execFile);
const source = 'github.com/centrifugal/centrifugo/v6@v6.9.1';
const folder = join(import.meta.dirname, '.cache');
/** Its modules are fetched and compiled once. */
const buildWithinMs = 900_000;

const configOf = (port: number, secret: string, redisUrl: string): object => ({
  http_server: { address: '127.0.0.1', port: String(port) },
  log: { level: 'error' },
  engine: { type: 'redis', redis: { address: redisUrl } },
  client: { token: { hmac_secret_key: secret } },
  channel: {
    namespaces: [
      {
        name: namespace,
        history_size: 1000,
        history_ttl: '1h',
        force_recovery: true,
        allow_subscribe_for_client: true,
        allow_publish_for_client: true,
      },
    ],
  },
});

/** The one on PATH, or the one that was built here. */
const findCentrifugo = (): Promise<string | null> => findProgram('centrifugo', [folder]);

/** Builds it if it is missing. Resolves why that failed, or null. */
async function build(): Promise<string | null> {
  if ((await findCentrifugo()) !== null) return null;
  const go = await findProgram('go');
  if (go === null) return `no centrifugo on PATH, and no Go to build it with: go install ${source}`;
  try {
    await run(go, ['install', source], { env: { ...process.env, GOBIN: folder }, timeout: buildWithinMs });
    return null;
  } catch (error) {
    return `go install ${source} failed: ${lastWords(error)}`;
  }
}

export const centrifugo: Peer = {
  missing: build,
  start: async (env) => {
    const program = (await findCentrifugo())!;
    return startProgram(env, {
      name: 'centrifugo',
      redis: true,
      prepare: async ({ dir, port, secret, redis }) => {
        const file = join(dir, 'centrifugo.json');
        await writeFile(file, JSON.stringify(configOf(port, secret, redis!.url)), { mode: 0o600 });
        return { command: [program, '--config', file] };
      },
    });
  },
};
