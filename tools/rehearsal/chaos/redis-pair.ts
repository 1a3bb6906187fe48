import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createPrivateRedis, type PrivateRedis } from '../../harness/private-redis.ts';
import { type Proxy, startProxy } from './proxy.ts';

/** One Redis of the cluster, with its directory. */
export type RedisNode = PrivateRedis & { readonly dir: string };

/** A Redis, or a primary with one replica. `redis-1` and `redis-2` keep their names when they change places. */
export type RedisPair = {
  /** The node that takes writes; changes with `promote`. */
  readonly primary: RedisNode;
  /** Null without a replica. */
  readonly replica: RedisNode | null;
  readonly nodes: readonly RedisNode[];
  readonly password: string;
  /** Between primary and replica: throttled, the replica falls behind. Null without a replica. */
  readonly link: Proxy | null;
  /** Runs a command on a node, by default the primary. Rejects at once if it does not answer within 5 s. */
  command(args: readonly (string | number)[], node?: RedisNode): Promise<unknown>;
  /** A field of INFO. */
  info(section: string, field: string, node?: RedisNode): Promise<string | undefined>;
  /** The replica becomes the primary, as it is. The old one is not told. */
  promote(): Promise<void>;
  /** Makes the other node a replica of the primary. */
  rejoin(): Promise<void>;
  /** Resolves when the replica has everything that the primary has now. */
  inStep(withinMs?: number): Promise<void>;
  close(): Promise<void>;
};

const host = '127.0.0.1';
const commandTimeoutMs = 5000;
const inStepWithinMs = 20_000;
const readyWithinMs = 30_000;

export type RedisPairOptions = {
  dir: string;
  on: 'redis' | 'replica';
  /** The environment of a node, read at each of its starts. */
  env: (name: string) => NodeJS.ProcessEnv;
  args: readonly string[];
  /** Where a node keeps its files; by default a folder in `dir`. */
  dirOf?: (name: string) => string;
};

/** Starts the nodes. */
export async function startRedisPair(options: RedisPairOptions): Promise<RedisPair> {
  const { dir, on, env, args, dirOf = (name) => join(dir, name) } = options;
  const nodes: RedisNode[] = [];
  for (const name of on === 'redis' ? ['redis-1'] : ['redis-1', 'redis-2']) {
    const own = dirOf(name);
    await mkdir(own, { recursive: true });
    const first = nodes[0];
    const node = await createPrivateRedis({
      name,
      dir: own,
      get env() {
        return env(name);
      },
      ...(first === undefined ? {} : { password: first.password }),
      args: ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1', ...args],
      readyWithinMs,
    });
    nodes.push(Object.assign(node, { dir: own }));
    await node.bringUp();
  }
  const { password } = nodes[0]!;
  let [primary, replica] = [nodes[0]!, nodes[1] ?? null];
  const link = replica === null ? null : await startProxy(primary.port);

  async function command(words: readonly (string | number)[], node: RedisNode = primary): Promise<unknown> {
    const redis = new Redis(node.port, host, {
      password,
      lazyConnect: true,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
      connectTimeout: commandTimeoutMs,
      commandTimeout: commandTimeoutMs,
      enableReadyCheck: false,
    });
    redis.on('error', () => undefined);
    try {
      await redis.connect();
      const [name, ...rest] = words as [string, ...(string | number)[]];
      return await redis.call(name, ...rest);
    } finally {
      redis.disconnect();
    }
  }

  const info = async (section: string, field: string, node: RedisNode = primary): Promise<string | undefined> =>
    new RegExp(`^${field}:([^\\r\\n]*)`, 'm').exec(String(await command(['INFO', section], node)))?.[1];

  const pair: RedisPair = {
    get primary() {
      return primary;
    },
    get replica() {
      return replica;
    },
    nodes,
    password,
    link,
    command,
    info,
    async promote() {
      if (replica === null) throw new Error('there is no replica to promote');
      await command(['REPLICAOF', 'NO', 'ONE'], replica);
      [primary, replica] = [replica, primary];
    },
    async rejoin() {
      if (replica === null || link === null) throw new Error('there is no replica');
      link.lead(primary.port);
      link.pass();
      link.cut();
      await command(['REPLICAOF', host, link.port], replica);
    },
    async inStep(withinMs = inStepWithinMs) {
      if (replica === null) return;
      const deadline = performance.now() + withinMs;
      for (;;) {
        // The replica is asked last: the primary may go on meanwhile.
        const goal = Number(await info('replication', 'master_repl_offset'));
        while (performance.now() < deadline) {
          const [state, at] = [
            await info('replication', 'master_link_status', replica),
            Number(await info('replication', 'slave_repl_offset', replica)),
          ];
          if (state === 'up' && at >= goal) return;
          await pause(50);
        }
        throw new Error(`the replica did not get in step within ${withinMs} ms`);
      }
    },
    async close() {
      await Promise.all(nodes.map(({ child }) => child.end('SIGTERM')));
      await link?.close();
    },
  };
  try {
    if (replica !== null) {
      await pair.rejoin();
      await pair.inStep();
    }
  } catch (error) {
    await pair.close();
    throw error;
  }
  return pair;
}
