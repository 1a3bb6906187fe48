/**
 * A whole cluster for one round: a Redis of its own that writes its append-only file every second, one gateway and one
 * of each worker, every one its own process, on free ports and in a directory that goes when it is stopped.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { listeningPort, startChild, type Child } from './children.ts';

const root = join(import.meta.dirname, '..');
const readyWithinMs = 20_000;

export type RedisAddress = { port: number; password: string };

export type Server = {
  /** The port of the WebSocket. */
  port: number;
  authSecret: string;
  /** The cluster's own Redis; a bare server has none. */
  redis: RedisAddress | undefined;
  /** Server processes by name. */
  processes: Record<string, number>;
  /** Rejects when one of the processes ends by itself. */
  failed: Promise<never>;
  /** Resolves with what `pick` finds in the output of the process that holds the sockets. */
  line: Child['line'];
  stop: () => Promise<void>;
};

export type ServerOptions = {
  /** The caller's environment: whatever it configures (PARTITIONS, say) holds, but for what a run needs itself. */
  env: NodeJS.ProcessEnv;
  /** Options of Node for the process that holds the sockets. */
  nodeOptions?: string[];
};

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

async function ready(port: number, child: Child): Promise<void> {
  const givenUpAt = performance.now() + readyWithinMs;
  const asked = async (): Promise<void> => {
    for (;;) {
      const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
      if (answer?.ok) return;
      if (performance.now() > givenUpAt) throw new Error(`${child.name} is not ready: ${await answer?.text()}`);
      await pause(50);
    }
  };
  await Promise.race([asked(), child.failed]);
}

async function startRedis(directory: string, env: NodeJS.ProcessEnv): Promise<RedisAddress & { child: Child }> {
  const port = await freePort();
  const password = randomBytes(24).toString('base64url');
  const settings = {
    port: String(port),
    bind: '127.0.0.1',
    dir: directory,
    requirepass: password,
    save: '',
    appendonly: 'yes',
    appendfsync: 'everysec',
    'maxmemory-policy': 'noeviction',
  };
  const child = startChild({ name: 'redis', command: 'redis-server', args: ['-'], env, cwd: directory });
  // By its input: other users of the machine see the arguments of a process.
  child.write(
    Object.entries(settings)
      .map(([name, value]) => `${name} "${value}"\n`)
      .join(''),
  );
  await child.line((line) => line.includes('Ready to accept connections') || undefined, readyWithinMs);
  return { child, port, password };
}

/** Workers first, so that the gateway's readiness is the last thing to wait for. */
const lines = ['fanout', 'archive', 'jobs', 'web'] as const;

/** What follows `node` in a line of the Procfile. */
function argumentsOf(procfile: string, line: string): string[] {
  const [, args] = new RegExp(`^${line}: node (.+)$`, 'm').exec(procfile) ?? [];
  if (args === undefined) throw new Error(`the Procfile has no line ${line} that starts node`);
  return args.split(' ');
}

export async function startCluster({ env, nodeOptions = [] }: ServerOptions): Promise<Server> {
  const directory = await mkdtemp(join(tmpdir(), 'restante-bench-'));
  const children: Child[] = [];
  const stop = async (): Promise<void> => {
    const [redis, ...others] = children;
    await Promise.all(others.map((child) => child.stop()));
    await redis?.stop();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const redis = await startRedis(directory, env);
    children.push(redis.child);
    const authSecret = randomBytes(32).toString('hex');
    const settings = {
      ...env,
      PORT: '0',
      HOST: '127.0.0.1',
      REDIS_URL: `redis://:${redis.password}@127.0.0.1:${redis.port}`,
      AUTH_SECRET: authSecret,
      DATA_DIR: directory,
      HISTORY_URL: `sqlite:${join(directory, 'history.db')}`,
      SEND_RATE_PER_USER: '0',
      RATE_LIMITS: 'off',
      MAX_GROUP_MEMBERS_BY_USER: '100000',
    };
    const procfile = await readFile(join(root, 'Procfile'), 'utf8');
    const started = lines.map((line) => {
      const name = line === 'web' ? 'gateway' : line;
      const args = [...(line === 'web' ? nodeOptions : []), ...argumentsOf(procfile, line)];
      const child = startChild({ name, command: process.execPath, args, env: settings, cwd: root });
      children.push(child);
      return child;
    });
    const ports = await Promise.all(
      started.map(async (child) => {
        const port = await child.line(listeningPort, readyWithinMs);
        await ready(port, child);
        return port;
      }),
    );
    const gateway = started.at(-1)!;
    return {
      port: ports.at(-1)!,
      authSecret,
      redis: { port: redis.port, password: redis.password },
      processes: Object.fromEntries(children.map(({ name, pid }) => [name, pid])),
      failed: Promise.race(children.map((child) => child.failed)),
      line: gateway.line,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A server of one file in the same shape; it needs no secret. */
async function startBare(name: string, file: string, { env, nodeOptions = [] }: ServerOptions): Promise<Server> {
  const child = startChild({ name, command: process.execPath, args: [...nodeOptions, file], env, cwd: root });
  const port = await child.line(listeningPort, readyWithinMs);
  const { failed, line, stop } = child;
  return { port, authSecret: '', redis: undefined, processes: { [name]: child.pid }, failed, line, stop };
}

export const startEcho = (options: ServerOptions): Promise<Server> =>
  startBare('echo', 'bench/echo-server.ts', options);

export const startBroadcast = (options: ServerOptions): Promise<Server> =>
  startBare('broadcast', 'bench/broadcast-server.ts', options);
