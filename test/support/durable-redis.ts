import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from '../../tools/harness/free-port.ts';
import type { PowerCuts } from '../../tools/harness/power-cuts.ts';
import { redisBinary } from './redis-server.ts';

const mostCopies = 10;

/** A real Redis with an append-only file. It can end and come back, also in an earlier state. */
export type DurableRedis = {
  readonly url: string;
  /** Ends at once. What it has written stays. */
  kill(): Promise<void>;
  /** Ends at once, and what was not synced is lost. Resolves the number of lost bytes. */
  cutPower(): Promise<number>;
  start(): Promise<void>;
  /** Copies its file as it is now. The returned function restores it while Redis is down; later writes are lost. */
  copy(): Promise<() => Promise<void>>;
  /** SIGSTOP and SIGCONT: connections stay open, and nothing answers. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
};

export type DurableRedisOptions = {
  /** Default: the Redis of this machine. */
  binary?: string;
  /** When the file is synced; default `always`. */
  appendfsync?: 'always' | 'everysec' | 'no';
  /** Makes power cuts possible: without it, what was written is never lost. */
  powerCuts?: PowerCuts;
};

export async function startDurableRedis(options: DurableRedisOptions = {}): Promise<DurableRedis> {
  const { binary = redisBinary(), appendfsync = 'always', powerCuts } = options;
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
        appendfsync,
        '--save',
        '',
        '--maxmemory-policy',
        'noeviction',
      ];
      const started = spawn(binary, args, {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, ...powerCuts?.env },
      });
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
    async cutPower() {
      await redis.kill();
      return powerCuts!.cut(files);
    },
    async copy() {
      const kept = join(folder, `copy-${++copies}`);
      // Redis may end a rewrite meanwhile, and remove a file that was to be copied.
      for (let attempt = 1; ; attempt++) {
        const thrown = await cp(files, kept, { recursive: true }).catch((error: NodeJS.ErrnoException) => error);
        if (thrown === undefined) break;
        if (thrown.code !== 'ENOENT' || attempt === mostCopies) throw thrown;
        await rm(kept, { recursive: true, force: true });
      }
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
