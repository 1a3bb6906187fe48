/**
 * The measured servers: a whole cluster for one round, or a server of one file as baseline. The cluster has its own
 * Redis, with an append-only file written every second, one gateway and one of each worker. Everything listens on free
 * ports. The data is in a directory that is removed at the end.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { untilLine } from '../tools/harness/child-process.ts';
import { startCluster as startLocalCluster } from '../tools/harness/local-cluster.ts';
import type { RedisAddress } from '../tools/harness/private-redis.ts';
import { listeningPort } from '../tools/harness/readiness.ts';
import { startChild } from './children.ts';

export type { RedisAddress };

const root = join(import.meta.dirname, '..');
/** A busy machine takes long to start processes. */
const readyWithinMs = 60_000;

export type Server = {
  /** The port of the WebSocket. */
  port: number;
  authSecret: string;
  /** The cluster's own Redis; a bare server has none. */
  redis: RedisAddress | undefined;
  /** Process ids of the server by name: `gateway`, `fanout`, `archive`, `jobs`, `redis`; or that of the bare server. */
  processes: Record<string, number>;
  /** Where the processes of a cluster serve their metrics, by the same names. */
  ports: Record<string, number>;
  /** Rejects if one of the processes ends by itself. */
  failed: Promise<never>;
  /** Resolves with the first result of `pick` for a line of the process that holds the sockets. */
  line: <T>(pick: (line: string) => T | null, withinMs: number) => Promise<T>;
  stop: () => Promise<void>;
};

export type ServerOptions = {
  /** The caller's environment. Its settings (such as PARTITIONS) apply, except for those that a run needs itself. */
  env: NodeJS.ProcessEnv;
  /** Whether a cluster is one process, `gateway`. */
  single?: boolean;
  /** Options of Node for the process that holds the sockets. */
  nodeOptions?: string[];
  /** Arguments of the cluster's Redis, and the path of its program. */
  redis?: { args?: string[]; program?: string };
};

export async function startCluster({ env, single = false, nodeOptions = [], redis }: ServerOptions): Promise<Server> {
  const cluster = await startLocalCluster({
    env: {
      // Without a token the admin routes are off, as they are by default.
      ADMIN_TOKEN: '',
      ...env,
      AUTH_SECRET: randomBytes(32).toString('hex'),
      HISTORY_URL: '',
      SEND_RATE_PER_USER: '0',
      RATE_LIMITS: 'off',
      MAX_GROUP_MEMBERS_BY_USER: '100000',
    },
    single,
    gatewayNodeOptions: nodeOptions,
    ...(redis === undefined ? {} : { redis }),
    readyWithinMs,
  });
  const children = cluster.names.map(cluster.child);
  const failed = Promise.race(children.map((child) => child.failed()));
  failed.catch(() => {});
  const servers = cluster.names.filter((name) => name !== 'redis');
  const nameOf = (name: string): string => (name === 'web-1' ? 'gateway' : name.replace(/-1$/, ''));
  return {
    port: cluster.port('web-1'),
    authSecret: cluster.secret,
    redis: cluster.redis,
    processes: Object.fromEntries(children.map(({ name, pid }) => [nameOf(name), pid ?? 0])),
    ports: Object.fromEntries(servers.map((name) => [nameOf(name), cluster.port(name)])),
    failed,
    line: (pick, withinMs) => untilLine(cluster.child('web-1'), 'say what is waited for', withinMs, pick),
    stop: async () => void (await cluster.stop()),
  };
}

/** A server of one file, in the same form; it needs no secret. */
async function startBare(name: string, file: string, { env, nodeOptions = [] }: ServerOptions): Promise<Server> {
  const child = startChild({ name, command: process.execPath, args: [...nodeOptions, file], env, cwd: root });
  const port = await child.line(listeningPort, readyWithinMs);
  const { failed, line, stop } = child;
  return { port, authSecret: '', redis: undefined, processes: { [name]: child.pid }, ports: {}, failed, line, stop };
}

export const startEcho = (options: ServerOptions): Promise<Server> =>
  startBare('echo', 'bench/echo-server.ts', options);

export const startBroadcast = (options: ServerOptions): Promise<Server> =>
  startBare('broadcast', 'bench/broadcast-server.ts', options);
