import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { findMongod } from '../../harness/mongod.ts';
import { createProcessGroup, type ProcessGroup } from '../../harness/process-group.ts';
import { type ReplicaSet, startReplicaSet } from '../../harness/replica-set.ts';
import { createServerProcess, type Line, procfileLines } from '../../harness/server-process.ts';
import type { ShiftedClock } from '../../harness/shifted-clocks.ts';
import { signToken } from '../../harness/sign-token.ts';
import { type Proxy, startProxy } from './proxy.ts';
import { type RedisPair, startRedisPair } from './redis-pair.ts';

export type ClusterOptions = {
  dir: string;
  on: 'redis' | 'replica';
  store: 'sqlite' | 'mongodb';
  /** Number of processes of each line. */
  counts: Record<Line, number>;
  /** Nodes of MongoDB; by default one. */
  mongoNodes?: number;
  env: NodeJS.ProcessEnv;
  redisArgs: readonly string[];
  /** Where Redis keeps its files; by default a folder in `dir`. */
  redisDir?: (name: string) => string;
  /** Where the history's file is; by default `dir`. */
  historyDir?: string;
  /** In addition, for the nodes of Redis. */
  redisEnv?: NodeJS.ProcessEnv;
  /** The clock of a process or of `redis-1`; undefined: the machine's. */
  clock?: (name: string) => ShiftedClock | undefined;
};

/**
 * A cluster of real processes with a proxy between any two: each process reaches Redis by a proxy of its own, MongoDB
 * by one for each node, and clients reach each gateway by another. SQLite is a file and has none.
 */
export type ChaosCluster = ProcessGroup & {
  readonly dir: string;
  readonly redis: RedisPair;
  /** Null with SQLite. */
  readonly mongo: ReplicaSet | null;
  /** The file of the history; null with MongoDB. */
  readonly historyFile: string | null;
  /** `ws://…` of each gateway, by its proxy. */
  readonly urls: readonly string[];
  /** `http://…` of each gateway itself, where no proxy can be in the way. */
  readonly direct: readonly string[];
  readonly adminToken: string;
  token(user: string, request?: { device?: string; service?: boolean }): Promise<string>;
  /** The proxy between a process and Redis. */
  toRedis(name: string): Proxy;
  /** The proxy between clients and a gateway. */
  toGateway(name: string): Proxy;
  /** The proxies in front of MongoDB. */
  readonly toHistory: readonly Proxy[];
  /** All proxies between processes and Redis. */
  readonly allToRedis: readonly Proxy[];
  /** The replica becomes the primary, and every new connection is led to it. */
  promote(): Promise<void>;
  /** Brings up and connects whatever a fault has left broken. Resolves when every process is ready. */
  heal(): Promise<void>;
  stop(): Promise<void>;
};

const host = '127.0.0.1';
const usualPath = '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin';
const readyWithinMs = 60_000;
const tokenSeconds = 7200;

async function startMongo(
  options: ClusterOptions,
  proxies: Proxy[],
): Promise<{ mongo: ReplicaSet | null; historyUrl: string; historyFile: string | null }> {
  if (options.store === 'sqlite') {
    const historyFile = join(options.historyDir ?? options.dir, 'history.db');
    return { mongo: null, historyUrl: `sqlite:${historyFile}`, historyFile };
  }
  const mongod = await findMongod();
  if ('missing' in mongod) throw new Error(`no MongoDB: ${mongod.missing}`);
  const mongo = await startReplicaSet(mongod.path, options.mongoNodes ?? 1, async (port) => {
    const proxy = await startProxy(port);
    proxies.push(proxy);
    return proxy.port;
  });
  return { mongo, historyUrl: mongo.url.replace('/?', '/restante?'), historyFile: null };
}

/** Starts everything and resolves when every process is ready. */
export async function startChaosCluster(options: ClusterOptions): Promise<ChaosCluster> {
  const { dir, counts, clock } = options;
  const secret = randomBytes(32).toString('hex');
  const adminToken = randomBytes(16).toString('hex');
  const toHistory: Proxy[] = [];
  const toRedis = new Map<string, Proxy>();
  const toGateway = new Map<string, Proxy>();
  const path = { PATH: options.env['PATH'] ?? usualPath };
  const names = procfileLines.flatMap((line) =>
    Array.from({ length: counts[line] }, (_, index) => ({ line, number: index + 1, name: `${line}-${index + 1}` })),
  );

  const redis = await startRedisPair({
    dir,
    on: options.on,
    env: (name) => ({ ...path, ...options.redisEnv, ...clock?.(name)?.env }),
    args: options.redisArgs,
    ...(options.redisDir === undefined ? {} : { dirOf: options.redisDir }),
  });
  let mongo: ReplicaSet | null = null;
  let group: ProcessGroup | null = null;

  async function stop(): Promise<void> {
    // A paused process ends too: `end` lets it go on first.
    await Promise.all(names.map(async ({ name }) => group?.child(name).end('SIGTERM')));
    await redis.close();
    await mongo?.stop();
    await Promise.all([...toRedis.values(), ...toGateway.values(), ...toHistory].map((proxy) => proxy.close()));
  }

  try {
    const history = await startMongo(options, toHistory);
    mongo = history.mongo;
    for (const { name } of names) toRedis.set(name, await startProxy(redis.primary.port));
    const env = (name: string): NodeJS.ProcessEnv => ({
      ...path,
      AUTH_SECRET: secret,
      ADMIN_TOKEN: adminToken,
      RATE_LIMITS: 'off',
      SEND_RATE_PER_USER: '0',
      MAX_GROUP_MEMBERS_BY_USER: '100000',
      DRAIN_MS: '500',
      ...options.env,
      HOST: host,
      DATA_DIR: dir,
      REDIS_URL: `redis://:${redis.password}@${host}:${toRedis.get(name)!.port}`,
      HISTORY_URL: history.historyUrl,
      ...clock?.(name)?.env,
    });
    group = createProcessGroup(
      names.map(({ line, number, name }) =>
        createServerProcess({
          line,
          number,
          dir,
          get env() {
            return env(name);
          },
          readyWithinMs,
        }),
      ),
    );
    const running = group;
    await Promise.all(names.map(({ name }) => running.start(name)));
    const gateways = names.filter(({ line }) => line === 'web').map(({ name }) => name);
    for (const name of gateways) toGateway.set(name, await startProxy(running.port(name)));

    const found = (proxies: Map<string, Proxy>, name: string): Proxy => {
      const proxy = proxies.get(name);
      if (proxy === undefined) throw new Error(`no proxy for ${name}; there are ${[...proxies.keys()].join(', ')}`);
      return proxy;
    };
    const led = (): void => [...toRedis.values()].forEach((proxy) => proxy.lead(redis.primary.port));

    return {
      ...running,
      dir,
      redis,
      mongo,
      historyFile: history.historyFile,
      urls: gateways.map((name) => `ws://${host}:${found(toGateway, name).port}`),
      direct: gateways.map((name) => `http://${host}:${running.port(name)}`),
      adminToken,
      token: async (user, request = {}) => signToken(secret, { user, ttlSeconds: tokenSeconds, ...request }),
      toRedis: (name) => found(toRedis, name),
      toGateway: (name) => found(toGateway, name),
      toHistory,
      allToRedis: [...toRedis.values()],
      async promote() {
        await redis.promote();
        led();
      },
      async heal() {
        for (const proxy of [...toRedis.values(), ...toGateway.values(), ...toHistory]) proxy.pass();
        led();
        for (const node of redis.nodes) {
          if (node.child.alive) node.child.resume();
          else await node.bringUp();
        }
        if (redis.replica !== null) {
          await redis.rejoin();
        }
        await mongo?.heal();
        for (const { name } of names) running.resume(name);
        await Promise.all(names.map(({ name }) => running.start(name)));
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
