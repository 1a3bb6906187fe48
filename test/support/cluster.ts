import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { inject, vi } from 'vitest';
import { type GroupName, groupNames } from '../../shared/model/groups.ts';
import { createKeys, type Keys } from '../../shared/redis/keys.ts';
import type { Child } from '../../tools/harness/child-process.ts';
import { createProcessGroup } from '../../tools/harness/process-group.ts';
import { isReady } from '../../tools/harness/readiness.ts';
import { createServerProcess, type Line, procfileLines } from '../../tools/harness/server-process.ts';
import type { ShiftedClock } from '../../tools/harness/shifted-clocks.ts';
import { nowSeconds, signClaims } from '../../tools/harness/sign-token.ts';
import { type Device, openDevice } from './device.ts';
import type { Frame } from './frames.ts';
import { connectRedis } from './redis-connection.ts';

/**
 * Real processes on the Redis that all tests share, with a key prefix and a directory of their own. Gateways and
 * workers start as in the Procfile.
 */
export type ClusterOptions = {
  env?: Record<string, string>;
  /** For these processes alone. */
  envOf?: Partial<Record<Line, Record<string, string>>>;
  gateways?: number;
  /** Whether these run from the start; `start` can start them later. */
  fanout?: boolean;
  archive?: boolean;
  /** Off by default; a number starts that many. */
  jobs?: boolean | number;
  /** Off by default; a number starts that many. */
  search?: boolean | number;
  /** A different Redis from the one that all tests share, such as one with a shifted clock. */
  redisUrl?: string;
  /** Clocks for these processes instead of the machine's. */
  clocks?: Partial<Record<Line, Pick<ShiftedClock, 'env'>>>;
};

export type { Line };

export type Hello = {
  device?: string;
  position?: number;
  epoch?: string;
  mode?: 'push' | 'pull' | 'lazy';
  pageItems?: number;
  ephemeral?: true;
  client?: string;
  gateway?: number;
};

export type HttpAnswer = { status: number; body: unknown; headers: Headers };

/** A connected device after its `welcome`. */
export type Welcomed = Device & { readonly welcome: Frame<'welcome'> };

export type Cluster = {
  /** The socket address of a gateway. */
  url(gateway?: number): string;
  http(token: string, method: string, path: string, body?: unknown): Promise<HttpAnswer>;
  /** A token that is valid for an hour, unless `claims` say otherwise. */
  token(user: string, claims?: object): string;
  readonly secret: string;
  readonly redis: Redis;
  readonly keys: Keys;
  readonly prefix: string;
  readonly dir: string;
  /** A name that no other test of this cluster uses. */
  user(name: string): string;
  /** Connects, says hello and waits for `welcome`. */
  connect(user: string, hello?: Hello): Promise<Welcomed>;
  /** Names: `web-1`, `fanout-1`, …; or `web` for the whole line. */
  start(name: string): Promise<void>;
  /** Ends gracefully (SIGTERM), or at once. */
  end(name: string, signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** SIGSTOP: it stays connected but silent. */
  pause(name: string): void;
  resume(name: string): void;
  /** Resolves when these groups (by default both) have settled every entry that is in the streams now. */
  settled(...groups: GroupName[]): Promise<void>;
  /** The log of a process, parsed from JSON lines. */
  log(name: string): Promise<{ event?: string; [field: string]: unknown }[]>;
  /** Whether a process reports that it is ready. */
  ready(name: string): Promise<boolean>;
  /** The response of a process at `/metrics`. */
  metrics(name: string): Promise<string>;
  /** The status of a process at `/readyz`. */
  readyz(name: string): Promise<number>;
  /** Deletes every key of the cluster from Redis in one step, like a Redis that restarts without its file. */
  wipe(): Promise<void>;
  stop(): Promise<void>;
};

/** A machine that is busy with other clusters takes long to start one. */
const readyWithinMs = 45_000;

const wipeScript = `
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. ':*')) do redis.call('DEL', key) end
return 'wiped'`;

function parsed(line: string): { event?: string; [field: string]: unknown } {
  try {
    return JSON.parse(line) as { event?: string };
  } catch {
    return { text: line };
  }
}

/** Where a gateway answers HTTP. */
export const originOf = (cluster: Cluster, gateway = 1): string =>
  cluster
    .url(gateway)
    .replace(/^ws/, 'http')
    .replace(/\/v1\/ws$/, '');

/** Rejects while a group has unread or unsettled entries of the stream. */
async function allSettled(redis: Redis, stream: string, groups: string[]): Promise<void> {
  const found = (await redis.xinfo('GROUPS', stream)) as (string | number)[][];
  for (const flat of found) {
    const field = (name: string) => flat[flat.indexOf(name) + 1];
    if (!groups.includes(String(field('name')))) continue;
    const [next] = (await redis.xrange(stream, `(${field('last-delivered-id')}`, '+', 'COUNT', 1)) as unknown[];
    if (field('pending') !== 0 || next !== undefined)
      throw new Error(`${stream} has entries that ${field('name')} has not settled`);
  }
}

export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const dir = await mkdtemp(join(tmpdir(), 'restante-test-'));
  const prefix = `t${randomBytes(6).toString('hex')}`;
  const secret = randomBytes(32).toString('hex');
  const redisUrl = options.redisUrl ?? inject('redisUrl');
  const redis = connectRedis(redisUrl);
  const devices: Device[] = [];
  let users = 0;

  const counts: Record<Line, number> = {
    web: options.gateways ?? 1,
    fanout: 1,
    archive: 1,
    jobs: Number(options.jobs || 1),
    search: Number(options.search || 1),
  };
  const envOf = (line: Line): NodeJS.ProcessEnv => ({
    PATH: process.env['PATH'] ?? '',
    HOST: '127.0.0.1',
    REDIS_URL: redisUrl,
    DATA_DIR: dir,
    AUTH_SECRET: secret,
    KEY_PREFIX: prefix,
    SEND_RATE_PER_USER: '0',
    RATE_LIMITS: 'off',
    MAX_GROUP_MEMBERS_BY_USER: '100000',
    DRAIN_MS: '200',
    // So that all tests can be run with it.
    SHORT_WAY: process.env['SHORT_WAY'] ?? '',
    ...options.clocks?.[line]?.env,
    ...options.env,
    ...options.envOf?.[line],
  });
  const processes = procfileLines.flatMap((line) =>
    Array.from({ length: counts[line] }, (_, index) =>
      createServerProcess({
        line,
        number: index + 1,
        dir,
        get env() {
          return envOf(line);
        },
        readyWithinMs,
      }),
    ),
  );
  const group = createProcessGroup(processes);

  const log = async (child: Child) =>
    (await child.output())
      .split('\n')
      .filter((line) => line !== '')
      .map(parsed);

  const cluster: Cluster = {
    url: (gateway = 1) => `ws://127.0.0.1:${group.port(`web-${gateway}`)}/v1/ws`,
    token: (user, claims = {}) =>
      signClaims({ sub: user, iat: nowSeconds(), exp: nowSeconds() + 3600, ...claims }, secret),
    async http(token, method, path, body) {
      const response = await fetch(`http://127.0.0.1:${group.port('web-1')}/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(10_000),
      });
      const text = await response.text();
      return {
        status: response.status,
        body: text === '' ? undefined : (JSON.parse(text) as unknown),
        headers: response.headers,
      };
    },
    secret,
    redis,
    keys: createKeys(prefix, Number(options.env?.['PARTITIONS'] ?? 4), Number(options.env?.['INBOX_SHARDS'] ?? 64)),
    prefix,
    dir,
    user: (name) => `${name}_${++users}`,
    async connect(user, { device = 'phone', gateway = 1, ...hello } = {}) {
      const opened = await openDevice(cluster.url(gateway));
      devices.push(opened);
      opened.send({ type: 'hello', token: cluster.token(user), device, ...hello });
      return Object.assign(opened, { welcome: await opened.find('welcome') });
    },
    start: group.start,
    end: (name, signal = 'SIGTERM') => group.end(name, signal),
    pause: group.pause,
    resume: group.resume,
    async settled(...groups) {
      for (let partition = 0; partition < cluster.keys.partitions; partition++) {
        await vi.waitFor(
          () => allSettled(redis, cluster.keys.messages(partition), groups.length > 0 ? groups : [...groupNames]),
          {
            timeout: 15_000,
            interval: 20,
          },
        );
      }
    },
    log: async (name) => (await Promise.all(group.children(name).map(log))).flat(),
    ready: (name) => isReady(group.port(name)),
    metrics: async (name) => (await fetch(`http://127.0.0.1:${group.port(name)}/metrics`)).text(),
    readyz: async (name) => (await fetch(`http://127.0.0.1:${group.port(name)}/readyz`)).status,
    wipe: async () => void (await redis.eval(wipeScript, 0, prefix)),
    async stop() {
      for (const { socket } of devices) socket.terminate();
      await Promise.all(processes.map(({ child }) => child.end('SIGTERM')));
      redis.disconnect();
      await rm(dir, { recursive: true, force: true });
    },
  };

  const wanted = procfileLines.filter((line) => {
    if (line === 'web') return true;
    return line === 'jobs' || line === 'search' ? Boolean(options[line]) : options[line] !== false;
  });
  try {
    await Promise.all(wanted.map((line) => cluster.start(line)));
  } catch (thrown) {
    await cluster.stop();
    throw thrown;
  }
  return cluster;
}
