import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from '../../tools/harness/free-port.ts';

/** A real Redis without persistence, on a free port, with its own folder and password. */
export type RedisServer = { readonly url: string; stop(): Promise<void> };

/** Another program may take the port between our check and Redis' bind. */
const portTries = 5;

/** Resolves when it accepts connections. `env` is added to this process' environment. */
export async function startRedis(env: Record<string, string> = {}): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'restante-test-redis-'));
  for (let attempt = 1; ; attempt++) {
    const redis = await tryStart(await freePort(), folder, env);
    if ('url' in redis) {
      return {
        url: redis.url,
        async stop() {
          await redis.stop();
          await rm(folder, { recursive: true });
        },
      };
    }
    if (attempt === portTries || !redis.output.includes('Address already in use')) {
      throw new Error(`Redis did not start:\n${redis.output}`);
    }
  }
}

async function tryStart(
  port: number,
  folder: string,
  env: Record<string, string>,
): Promise<RedisServer | { output: string }> {
  const password = randomBytes(24).toString('base64url');
  const options = {
    port,
    bind: '127.0.0.1',
    dir: folder,
    requirepass: password,
    appendonly: 'no',
    save: '',
    'maxmemory-policy': 'noeviction',
  };
  const child = spawn(redisBinary(), ['-'], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...env } });
  // Pass settings on standard input: other users of the machine can see the arguments of a process.
  child.stdin.end(
    Object.entries(options)
      .map(([name, value]) => `${name} "${value}"\n`)
      .join(''),
  );
  const exited = once(child, 'exit');
  let output = '';
  for await (const line of createInterface({ input: child.stdout })) {
    output += `${line}\n`;
    if (!line.includes('Ready to accept connections')) continue;
    child.stdout.resume();
    return {
      url: `redis://:${password}@127.0.0.1:${port}`,
      stop: async () => {
        child.kill('SIGTERM');
        await exited;
      },
    };
  }
  return { output };
}

export function redisBinary(): string {
  for (const name of ['redis-server', 'valkey-server']) {
    if (spawnSync(name, ['--version']).status === 0) return name;
  }
  throw new Error(
    'neither redis-server nor valkey-server is on PATH: start the tests with npm test, which installs it',
  );
}
