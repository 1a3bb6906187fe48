import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort, redisBinary } from './redis-server.ts';

/**
 * A real Redis with an append-only file that is synced on every write. It can end and come back, also in an earlier
 * state.
 */
export type DurableRedis = {
  readonly url: string;
  /** Ends at once, as in a power cut. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Copies its file as it is now. The returned function restores it while Redis is down; later writes are lost. */
  copy(): Promise<() => Promise<void>>;
  /** SIGSTOP and SIGCONT: connections stay open, and nothing answers. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
};

export async function startDurableRedis(): Promise<DurableRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'restante-durable-redis-'));
  const files = join(folder, 'appendonlydir');
  const port = await freePort();
  let child: ChildProcess | null = null;
  let copies = 0;

  const redis: DurableRedis = {
    url: `redis://127.0.0.1:${port}`,
    async start() {
      const args = [
        '--port',
        `${port}`,
        '--bind',
        '127.0.0.1',
        '--dir',
        folder,
        '--appendonly',
        'yes',
        '--appendfsync',
        'always',
        '--save',
        '',
        '--maxmemory-policy',
        'noeviction',
      ];
      const started = spawn(redisBinary(), args, { stdio: ['ignore', 'pipe', 'inherit'] });
      child = started;
      let output = '';
      for await (const line of createInterface({ input: started.stdout })) {
        output += `${line}\n`;
        if (!line.includes('Ready to accept connections')) continue;
        started.stdout.resume();
        return;
      }
      throw new Error(`Redis did not start:\n${output}`);
    },
    async kill() {
      if (child === null || child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
    async copy() {
      const kept = join(folder, `copy-${++copies}`);
      await cp(files, kept, { recursive: true });
      return async () => {
        await rm(files, { recursive: true });
        await cp(kept, files, { recursive: true });
      };
    },
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    async stop() {
      await redis.kill();
      await rm(folder, { recursive: true });
    },
  };
  await redis.start();
  return redis;
}
