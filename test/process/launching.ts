import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { afterEach, beforeEach } from 'vitest';

/** The launcher with processes of our own in the Procfile: everything that a gateway or worker does towards it. */
const standIn = `
import { createServer } from 'node:http';
const server = createServer((request, response) => {
  response.statusCode = request.url === '/readyz' ? 200 : 404;
  response.end(process.env.REDIS_URL);
});
server.on('error', () => server.listen(0, process.env.HOST));
server.on('listening', () => {
  console.log(JSON.stringify({ level: 30, event: 'listening', port: server.address().port }));
});
server.listen(Number(process.env.PORT), process.env.HOST);
process.on('SIGTERM', () => { console.log('leaving'); process.exit(0); });
`;
const stubborn = standIn.replace(
  /process\.on\('SIGTERM'.*/,
  "process.on('SIGTERM', () => console.log('not leaving'));",
);
const hopeless = "console.log('SETTING is wrong'); process.exit(3);";

const launcher = join(import.meta.dirname, '../../tools/launcher/start.mjs');
export const readyLine = /restante +\| ready in/;

export type Pid = { pid: number };
export type RunFile = {
  launcher: Pid | null;
  redisUrl: string | null;
  redis: Pid | null;
  processes: (Pid & { name: string; port: number })[];
  web: number[];
};

/** Where the launcher of this test works, and the first of its ports. */
export const place = { root: '', basePort: 0 };
const launched: Launched[] = [];

/** Each test has a folder and ports of its own. What it has left running is ended after it. */
export function launchInFoldersOfTheirOwn(): void {
  beforeEach(async () => {
    place.root = await mkdtemp(join(tmpdir(), 'restante-launcher-'));
    place.basePort = await freePorts();
    launched.length = 0;
    await writeFile(join(place.root, 'stand-in.mjs'), standIn);
    await writeFile(join(place.root, 'stubborn.mjs'), stubborn);
    await writeFile(join(place.root, 'hopeless.mjs'), hopeless);
    await procfile('web: node stand-in.mjs', 'fanout: node stand-in.mjs');
  });

  afterEach(async () => {
    for (const { child } of launched) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
    }
    // A launcher that a test killed cannot have cleaned up.
    const left = await runFile().catch(() => undefined);
    for (const one of [...(left?.processes ?? []), left?.redis])
      if (one && exists(one.pid)) process.kill(one.pid, 'SIGKILL');
    await rm(place.root, { recursive: true });
  });
}

export type Launched = {
  child: ChildProcess;
  /** The lines so far, of stdout and stderr. */
  output: string[];
  ended: Promise<void>;
  /** Resolves when a line of the output matches; rejects with the whole output when the launcher ends without one. */
  line(pattern: RegExp): Promise<void>;
  /** Milliseconds from the signal to the end. */
  stop(signal: NodeJS.Signals): Promise<number>;
};

export function launch(...counts: string[]): Launched {
  return launchWith({}, [process.execPath, launcher, ...counts]);
}

export function launchWith(env: Record<string, string>, command: string[] = [process.execPath, launcher]): Launched {
  const { AUTH_SECRET: _secret, AUTH_JWKS_URL: _keys, REDIS_URL: _url, HOST: _host, ...rest } = process.env;
  const [file = '', ...args] = command;
  const child: ChildProcess = spawn(file, args, {
    env: { ...rest, RESTANTE_ROOT: place.root, DATA_DIR: 'data', PORT: String(place.basePort), ...env },
    cwd: join(import.meta.dirname, '../..'),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output: string[] = [];
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) throw new Error('no output');
    createInterface({ input: stream }).on('line', (line) => {
      output.push(line);
      for (const look of waiting) look();
    });
  }
  const ended = once(child, 'close').then(() => {
    for (const look of waiting) look();
  });
  const started: Launched = {
    child,
    output,
    ended,
    line: (pattern) =>
      new Promise<void>((resolve, reject) => {
        const look = () => {
          if (output.some((line) => pattern.test(line))) resolve();
          else if (child.exitCode !== null) reject(new Error(`no line ${pattern}:\n${output.join('\n')}`));
        };
        waiting.add(look);
        look();
      }),
    stop: async (signal) => {
      const from = Date.now();
      child.kill(signal);
      await ended;
      return Date.now() - from;
    },
  };
  launched.push(started);
  return started;
}

export const procfile = (...lines: string[]): Promise<void> =>
  writeFile(join(place.root, 'Procfile'), `${lines.join('\n')}\n`);

export const runFile = async (): Promise<RunFile> =>
  JSON.parse(await readFile(join(place.root, 'data', 'run.json'), 'utf8')) as RunFile;

export async function processNamed(wanted: string) {
  const found = (await runFile()).processes.find(({ name }) => name === wanted);
  if (found === undefined) throw new Error(`${wanted} is not running`);
  return found;
}

export async function withRedis(run: RunFile, use: (redis: Redis) => Promise<unknown>): Promise<void> {
  const redis = new Redis(run.redisUrl as string, { maxRetriesPerRequest: null });
  redis.on('error', () => {});
  try {
    await use(redis);
  } finally {
    redis.disconnect();
  }
}

/** Also false for one of which only the exit status is left, when nobody asks for that any more. */
export function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** A base whose ports are free, below those that the system hands out by itself. */
export async function freePorts(): Promise<number> {
  for (;;) {
    const base = 20_000 + Math.floor(Math.random() * 10_000);
    try {
      for (const offset of [0, 1, 2, 100]) (await listen(base + offset)).close();
      return base;
    } catch {
      // taken: look elsewhere
    }
  }
}

export async function listen(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
