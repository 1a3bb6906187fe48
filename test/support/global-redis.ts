import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** One real Redis for all tests of the project: every test uses a key prefix of its own and never flushes. */
    redisUrl: string;
  }
}

/** Another program may take the port between our look and Redis' bind. */
const portTries = 5;

/** Starts a private Redis without persistence before the tests, and stops it after them. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'restante-test-redis-'));
  for (let attempt = 1; ; attempt++) {
    const redis = await startRedis(await freePort(), folder);
    if ('url' in redis) {
      project.provide('redisUrl', redis.url);
      return async () => {
        await redis.stop();
        await rm(folder, { recursive: true });
      };
    }
    if (attempt === portTries || !redis.output.includes('Address already in use')) {
      throw new Error(`Redis did not start:\n${redis.output}`);
    }
  }
}

type Started = { url: string; stop: () => Promise<void> };

async function startRedis(port: number, folder: string): Promise<Started | { output: string }> {
  const options = { port, bind: '127.0.0.1', dir: folder, appendonly: 'no', save: '', 'maxmemory-policy': 'noeviction' };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(redisBinary(), args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let output = '';
  for await (const line of createInterface({ input: child.stdout })) {
    output += `${line}\n`;
    if (!line.includes('Ready to accept connections')) continue;
    child.stdout.resume();
    return {
      url: `redis://127.0.0.1:${port}`,
      stop: async () => {
        child.kill('SIGTERM');
        await exited;
      },
    };
  }
  return { output };
}

function redisBinary(): string {
  for (const name of ['redis-server', 'valkey-server']) {
    if (spawnSync(name, ['--version']).status === 0) return name;
  }
  throw new Error('neither redis-server nor valkey-server is on PATH: start the tests with npm test, which installs it');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
