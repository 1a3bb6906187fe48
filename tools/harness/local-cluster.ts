import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect as connectSocket, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createChild, until, type Child } from './child-process.ts';
import { commandOf } from './procfile.ts';
import { signToken, type TokenRequest } from './sign-token.ts';

/**
 * A whole cluster of real processes on this machine, in a directory of its own: a private Redis and the lines of the
 * Procfile. Its processes can be killed, paused and brought back by name, and none of them outlives it.
 *
 * A name is one process (`web-1`, `fanout-2`, `redis`) or all of a line (`web`).
 */
export type Line = 'web' | 'fanout' | 'archive' | 'jobs';

export type ClusterOptions = Partial<Record<Line, number>> & {
  env?: Record<string, string>;
  redis?: { appendonly?: boolean; args?: string[] };
  /** How long each process may take until it is ready; 30 s without it. */
  readyWithinMs?: number;
  /** Where its data lives; a new temporary directory, removed at the end, without it. */
  dir?: string;
};

export type Cluster = {
  /** `ws://127.0.0.1:port` of the first gateway; `urls` has all of them. They stay the same over restarts. */
  readonly url: string;
  readonly urls: readonly string[];
  readonly redisUrl: string;
  readonly secret: string;
  readonly adminToken: string;
  readonly dir: string;
  readonly names: readonly string[];
  child(name: string): Child;
  /** The port on which a process serves its health and metrics. */
  port(name: string): number;
  token(user: string, request?: Partial<TokenRequest>): Promise<string>;
  /** SIGKILL; resolves when gone. */
  kill(name: string): Promise<void>;
  /** Brings back what does not run and resolves when it is ready. */
  start(name: string): Promise<void>;
  /** Ends in good order what runs, then starts it; resolves when ready. */
  restart(name: string): Promise<void>;
  pause(name: string): void;
  resume(name: string): void;
  /** Ends everything, the gateways and workers first. Answers their exit codes: null for who had to be killed. */
  stop(): Promise<Record<string, number | null>>;
};

const root = fileURLToPath(new URL('../..', import.meta.url));
const lines: readonly Line[] = ['web', 'fanout', 'archive', 'jobs'];
const host = '127.0.0.1';
/** Where redis-server is found; `env.PATH` says otherwise. */
const usualPath = '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin';
const usuallyReadyWithinMs = 30_000;

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, host, () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

/** True when Redis answers a PING: while it loads its file it answers, but with an error. */
const redisAnswers = (port: number, password: string): Promise<true | null> =>
  new Promise((resolve) => {
    const socket = connectSocket(port, host, () => socket.write(`AUTH ${password}\r\nPING\r\n`));
    let said = '';
    const settle = (answer: true | null): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('data', (data) => {
      said += data.toString();
      const [, pong] = said.split('\r\n');
      if (pong !== undefined && pong !== '') settle(pong === '+PONG' ? true : null);
    });
    socket.once('error', () => settle(null));
    socket.setTimeout(1000, () => settle(null));
  });

async function httpReady(port: number): Promise<true | null> {
  try {
    const response = await fetch(`http://${host}:${port}/readyz`, { signal: AbortSignal.timeout(2000) });
    await response.arrayBuffer();
    return response.ok ? true : null;
  } catch {
    return null;
  }
}

/** The port in the line `{"event":"listening","port":…}`. */
async function listeningPort(child: Child): Promise<number | null> {
  for (const line of (await child.output()).split('\n')) {
    if (!line.includes('"listening"')) continue;
    try {
      const entry = JSON.parse(line) as { event?: unknown; port?: unknown };
      if (entry.event === 'listening' && typeof entry.port === 'number') return entry.port;
    } catch {
      // A line that is not complete yet.
    }
  }
  return null;
}

export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const readyWithinMs = options.readyWithinMs ?? usuallyReadyWithinMs;
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'restante-')));
  const secret = options.env?.['AUTH_SECRET']?.split(',')[0] ?? randomBytes(32).toString('hex');
  const adminToken = options.env?.['ADMIN_TOKEN']?.split(',')[0] ?? randomBytes(16).toString('hex');
  const redisPort = await freePort();
  const redisPassword = randomBytes(24).toString('base64url');
  const redisUrl = `redis://:${redisPassword}@${host}:${redisPort}`;
  const children = new Map<string, Child>();
  const ports = new Map<string, number>([['redis', redisPort]]);

  const env = (port: number): Record<string, string> => ({
    PATH: usualPath,
    HOST: host,
    REDIS_URL: redisUrl,
    DATA_DIR: dir,
    AUTH_SECRET: secret,
    ADMIN_TOKEN: adminToken,
    // Rehearsals and tests do in seconds what users do in days.
    RATE_LIMITS: 'off',
    MAX_GROUP_MEMBERS_BY_USER: '100000',
    ...options.env,
    PORT: String(port),
  });

  // Not among the arguments, which other users of the machine can see.
  const passwordFile = join(dir, 'redis-password.conf');
  await writeFile(passwordFile, `requirepass ${redisPassword}\n`, { mode: 0o600 });
  const redisCommand = [
    'redis-server',
    passwordFile,
    '--port',
    String(redisPort),
    '--bind',
    host,
    '--dir',
    dir,
    '--save',
    '',
    '--appendonly',
    options.redis?.appendonly === false ? 'no' : 'yes',
    ...(options.redis?.args ?? []),
  ];
  children.set('redis', createChild('redis', redisCommand, dir, join(dir, 'redis.log')));
  for (const line of lines) {
    for (let count = 1; count <= (options[line] ?? 1); count++) {
      const name = `${line}-${count}`;
      children.set(name, createChild(name, commandOf(line), root, join(dir, `${name}.log`)));
    }
  }
  const names = [...children.keys()];

  const child = (name: string): Child => {
    const found = children.get(name);
    if (found === undefined) throw new Error(`no process ${name}; there are ${names.join(', ')}`);
    return found;
  };
  const matching = (name: string): Child[] =>
    children.has(name) ? [child(name)] : names.filter((one) => one.startsWith(`${name}-`)).map(child);
  const each = async (name: string, act: (one: Child) => Promise<unknown>): Promise<void> => {
    const found = matching(name);
    if (found.length === 0) child(name);
    await Promise.all(found.map(act));
  };

  const bringUp = async (one: Child): Promise<void> => {
    await one.start(env(ports.get(one.name) ?? 0));
    if (one.name === 'redis') {
      await until(one, 'answer', readyWithinMs, () => redisAnswers(redisPort, redisPassword));
      return;
    }
    const port = await until(one, 'listen', readyWithinMs, () => listeningPort(one));
    ports.set(one.name, port);
    await until(one, 'get ready', readyWithinMs, () => httpReady(port));
  };

  const stop = async (): Promise<Record<string, number | null>> => {
    const others = names.filter((name) => name !== 'redis');
    const codes = await Promise.all(others.map(async (name) => [name, await child(name).end('SIGTERM')] as const));
    const redis = await child('redis').end('SIGTERM');
    if (options.dir === undefined) await rm(dir, { recursive: true, force: true });
    return { ...Object.fromEntries(codes), redis };
  };

  const cluster: Cluster = {
    get url() {
      return `ws://${host}:${ports.get('web-1')}`;
    },
    get urls() {
      return names.filter((name) => name.startsWith('web-')).map((name) => `ws://${host}:${ports.get(name)}`);
    },
    redisUrl,
    secret,
    adminToken,
    dir,
    names,
    child,
    port(name) {
      const port = ports.get(child(name).name);
      if (port === undefined) throw new Error(`${name} has not listened yet`);
      return port;
    },
    token: (user, request = {}) => signToken(secret, { user, ttlSeconds: 3600, ...request }),
    kill: (name) => each(name, (one) => one.end('SIGKILL')),
    start: (name) => each(name, (one) => (one.alive ? Promise.resolve() : bringUp(one))),
    restart: (name) =>
      each(name, async (one) => {
        await one.end('SIGTERM');
        await bringUp(one);
      }),
    pause: (name) => matching(name).forEach((one) => one.pause()),
    resume: (name) => matching(name).forEach((one) => one.resume()),
    stop,
  };

  try {
    await cluster.start('redis');
    await Promise.all(names.filter((name) => name !== 'redis').map((name) => cluster.start(name)));
  } catch (error) {
    await stop();
    throw error;
  }
  return cluster;
}
