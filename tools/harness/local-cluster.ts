import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Child } from './child-process.ts';
import { createPrivateRedis, type RedisAddress } from './private-redis.ts';
import { createProcessGroup } from './process-group.ts';
import { createServerProcess, procfileLines, type Line } from './server-process.ts';
import { signToken, type TokenRequest } from './sign-token.ts';

/** Number of processes for each line of the Procfile; by default one. */
export type ClusterOptions = Partial<Record<Line, number>> & {
  /** All lines in one process, `web-1`. */
  single?: boolean;
  env?: NodeJS.ProcessEnv;
  redis?: { appendonly?: boolean; args?: string[]; program?: string };
  /** Options of Node for the gateways, in addition to those of the Procfile. */
  gatewayNodeOptions?: string[];
  /** Maximum time until a process is ready; by default 30 s. */
  readyWithinMs?: number;
  /** Where its data lives; by default a new temporary directory, removed at the end. */
  dir?: string;
};

/**
 * A whole cluster of real processes on this machine, in a directory of its own: a private Redis and the lines of the
 * Procfile. Its processes can be killed, paused and brought back by name, and none of them outlives it.
 *
 * A name is one process (`web-1`, `fanout-2`, `redis`) or all of a line (`web`).
 */
export type Cluster = {
  /** `ws://127.0.0.1:port` of the first gateway; `urls` has all of them. They stay the same over restarts. */
  readonly url: string;
  readonly urls: readonly string[];
  readonly redisUrl: string;
  readonly redis: RedisAddress;
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
  /** Starts the processes that do not run; resolves when they are ready. */
  start(name: string): Promise<void>;
  /** Ends the running processes gracefully and starts them again; resolves when ready. */
  restart(name: string): Promise<void>;
  pause(name: string): void;
  resume(name: string): void;
  /** Ends everything, Redis last. Resolves the exit codes: null for a process that had to be killed. */
  stop(): Promise<Record<string, number | null>>;
};

const host = '127.0.0.1';
/** The search path for redis-server unless `env.PATH` says otherwise. */
const usualPath = '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin';
const usuallyReadyWithinMs = 30_000;

export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const readyWithinMs = options.readyWithinMs ?? usuallyReadyWithinMs;
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'restante-')));
  const secret = options.env?.['AUTH_SECRET']?.split(',')[0] ?? randomBytes(32).toString('hex');
  const adminToken = options.env?.['ADMIN_TOKEN']?.split(',')[0] ?? randomBytes(16).toString('hex');
  const redis = await createPrivateRedis({
    ...options.redis,
    dir,
    env: { ...options.env, PATH: options.env?.['PATH'] ?? usualPath },
    readyWithinMs,
  });
  const env = {
    PATH: usualPath,
    AUTH_SECRET: secret,
    ADMIN_TOKEN: adminToken,
    // Rehearsals and tests do in seconds what users do in days.
    RATE_LIMITS: 'off',
    MAX_GROUP_MEMBERS_BY_USER: '100000',
    ...options.env,
    // These are the cluster's own, whatever the caller's environment says.
    HOST: host,
    REDIS_URL: redis.url,
    DATA_DIR: dir,
  };
  const single = options.single === true;
  const lines = single ? (['web'] as const) : procfileLines;
  const servers = lines.flatMap((line) =>
    Array.from({ length: options[line] ?? 1 }, (_, index) =>
      createServerProcess({
        line,
        number: index + 1,
        single,
        dir,
        env,
        readyWithinMs,
        ...(line === 'web' && options.gatewayNodeOptions !== undefined
          ? { nodeOptions: options.gatewayNodeOptions }
          : {}),
      }),
    ),
  );
  const group = createProcessGroup([redis, ...servers]);
  const serverNames = servers.map(({ child }) => child.name);
  const gatewayUrl = (name: string): string => `ws://${host}:${group.port(name)}`;

  const stop = async (): Promise<Record<string, number | null>> => {
    const codes = await Promise.all(
      servers.map(async ({ child }) => [child.name, await child.end('SIGTERM')] as const),
    );
    const redisCode = await redis.child.end('SIGTERM');
    if (options.dir === undefined) await rm(dir, { recursive: true, force: true });
    return { ...Object.fromEntries(codes), redis: redisCode };
  };

  try {
    await group.start('redis');
    await Promise.all(serverNames.map(group.start));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    get url() {
      return gatewayUrl('web-1');
    },
    get urls() {
      return serverNames.filter((name) => name.startsWith('web-')).map(gatewayUrl);
    },
    redisUrl: redis.url,
    redis,
    secret,
    adminToken,
    dir,
    names: group.names,
    child: group.child,
    port: group.port,
    token: async (user, request = {}) => signToken(secret, { user, ttlSeconds: 3600, ...request }),
    kill: (name) => group.end(name, 'SIGKILL'),
    start: group.start,
    restart: group.restart,
    pause: group.pause,
    resume: group.resume,
    stop,
  };
}
