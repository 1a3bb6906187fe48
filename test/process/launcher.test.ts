import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';

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
const readyLine = /restante +\| ready in/;

type Pid = { pid: number };
type RunFile = {
  launcher: Pid | null;
  redisUrl: string | null;
  redis: Pid | null;
  processes: (Pid & { name: string; port: number })[];
  web: number[];
};

let root: string;
let basePort: number;
let launched: Launched[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'restante-launcher-'));
  basePort = await freePorts();
  launched = [];
  await writeFile(join(root, 'stand-in.mjs'), standIn);
  await writeFile(join(root, 'stubborn.mjs'), stubborn);
  await writeFile(join(root, 'hopeless.mjs'), hopeless);
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
  await rm(root, { recursive: true });
});

test('starts every line, tells what runs, and stops all of it with exit code 0', async () => {
  const started = launch();
  await started.line(readyLine);
  const run = await runFile();

  expect(run.processes.map(({ name, port }) => [name, port])).toEqual([
    ['web.1', basePort],
    ['fanout.1', basePort + 100],
  ]);
  expect(run.web).toEqual([basePort]);
  expect(run.launcher?.pid).toBe(started.child.pid);
  expect(started.output.join('\n')).toMatch(/^web\.1    \| \{"level":30,"event":"listening"/m);
  expect(started.output.join('\n')).toContain(`ws://127.0.0.1:${basePort}/v1/ws`);
  expect(await (await fetch(`http://127.0.0.1:${basePort}/`)).text()).toBe(run.redisUrl);

  const secret = join(root, 'data', 'auth-secret');
  expect((await readFile(secret, 'utf8')).trim()).toMatch(/^[\w-]{43,}$/);
  expect((await stat(secret)).mode & 0o777).toBe(0o600);

  const stoppedWithin = await started.stop('SIGINT');
  expect(stoppedWithin).toBeLessThan(10_000);
  expect(started.child.exitCode).toBe(0);
  expect(started.output.filter((line) => line.includes('leaving'))).toHaveLength(2);
  for (const { pid } of [...run.processes, run.redis as Pid]) expect(exists(pid)).toBe(false);
  expect(await runFile()).toMatchObject({ launcher: null, redisUrl: null, redis: null, processes: [], web: [] });
});

test('its Redis asks for a password, which only the owner of DATA_DIR can read', async () => {
  const started = launch();
  await started.line(readyLine);
  const run = await runFile();
  const { username, password, host } = new URL(run.redisUrl as string);
  expect([username, password]).toEqual(['', expect.stringMatching(/^[\w-]{43,}$/)]);
  const stranger = new Redis(`redis://${host}`);
  stranger.on('error', () => {});
  await expect(stranger.keys('*')).rejects.toThrow('NOAUTH');
  stranger.disconnect();
  await withRedis(run, async (redis) => expect(await redis.ping()).toBe('PONG'));

  const holds: string[] = [];
  for (const path of await readdir(join(root, 'data'), { recursive: true })) {
    const file = join(root, 'data', path);
    const found = await stat(file);
    if (found.isFile() && (await readFile(file, 'utf8')).includes(password))
      holds.push(`${path} ${(found.mode & 0o777).toString(8)}`);
  }
  expect(holds.sort()).toEqual(['redis-password 600', 'redis/redis.conf 600', 'run.json 600']);
  expect(started.output.join('\n')).not.toContain(password);
  if (process.platform === 'linux') {
    for (const { pid } of [run.launcher as Pid, run.redis as Pid, ...run.processes]) {
      expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toContain(password);
    }
  }
});

test('data of a Redis that had no password yet is continued with one', async () => {
  const dir = join(root, 'data', 'redis');
  await mkdir(dir, { recursive: true });
  const port = basePort + 2;
  const older = spawn('redis-server', [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    dir,
    '--appendonly',
    'yes',
    '--save',
    '',
  ]);
  const redis = new Redis(`redis://127.0.0.1:${port}`, { maxRetriesPerRequest: null });
  redis.on('error', () => {});
  await redis.set('kept', 'yes');
  redis.disconnect();
  older.kill('SIGTERM');
  await once(older, 'exit');

  const started = launch();
  await started.line(readyLine);
  await withRedis(await runFile(), async (continued) => expect(await continued.get('kept')).toBe('yes'));
});

test('starts as many of each line as asked, also none', async () => {
  const started = launch('web=3', 'fanout=0');
  await started.line(readyLine);
  expect((await runFile()).processes.map(({ name, port }) => [name, port])).toEqual([
    ['web.1', basePort],
    ['web.2', basePort + 1],
    ['web.3', basePort + 2],
  ]);
});

test('refuses a line that the Procfile does not have, and lists the lines', async () => {
  const started = launch('mailer=1');
  await started.ended;
  expect(started.child.exitCode).toBe(1);
  expect(started.output.join('\n')).toMatch(/there is no line "mailer"[^]*the lines of the Procfile are: web, fanout/);
});

test('starts a process again that was killed', async () => {
  const started = launch();
  await started.line(readyLine);
  const before = await processNamed('fanout.1');
  process.kill(before.pid, 'SIGKILL');
  await started.line(/fanout\.1 was ended by SIGKILL, starting it again in 0\.5 s/);
  await started.line(/fanout\.1 is ready again/);
  const after = await processNamed('fanout.1');
  expect(after.pid).not.toBe(before.pid);
  expect(after.port).toBe(before.port);
});

test('starts Redis again that was killed, on the same port with the same data', async () => {
  const started = launch();
  await started.line(readyLine);
  const before = await runFile();
  await withRedis(before, (redis) => redis.set('kept', 'yes'));
  // Redis hands every write to the system before it answers, so a killed Redis loses none of them.
  process.kill((before.redis as Pid).pid, 'SIGKILL');
  await started.line(/redis +\| was ended by SIGKILL, starting it again/);
  await withRedis(before, async (redis) => expect(await redis.get('kept')).toBe('yes'));
  const after = await runFile();
  expect(after.redis?.pid).not.toBe(before.redis?.pid);
  expect(after.redisUrl).toBe(before.redisUrl);
});

test('a second start continues with the same Redis data, secret and port', async () => {
  const first = launch();
  await first.line(readyLine);
  const { redisUrl } = await runFile();
  await withRedis(await runFile(), (redis) => redis.set('kept', 'yes'));
  const secret = await readFile(join(root, 'data', 'auth-secret'), 'utf8');
  await first.stop('SIGTERM');

  const second = launch();
  await second.line(readyLine);
  const run = await runFile();
  // With the password of before.
  expect(run.redisUrl).toBe(redisUrl);
  await withRedis(run, async (redis) => expect(await redis.get('kept')).toBe('yes'));
  expect(await readFile(join(root, 'data', 'auth-secret'), 'utf8')).toBe(secret);
});

test('refuses a start beside a running one, which goes on undisturbed', async () => {
  const first = launch();
  await first.line(readyLine);
  const before = await runFile();
  const second = launch();
  await second.ended;
  expect(second.child.exitCode).toBe(1);
  expect(second.output.join('\n')).toMatch(/already running on .*stop that one first/);
  expect(await runFile()).toEqual(before);
  for (const { pid } of before.processes) expect(exists(pid)).toBe(true);
});

test('of two starts in the same moment one is refused', async () => {
  const both = [launch(), launch()];
  await Promise.race(both.map(({ ended }) => ended));
  const alive = both.filter(({ child }) => child.exitCode === null);
  expect(alive).toHaveLength(1);
  await alive[0]?.line(readyLine);
});

test('stops what a killed launcher left running before it starts', async () => {
  const first = launch();
  await first.line(readyLine);
  const left = await runFile();
  await first.stop('SIGKILL');
  expect(exists((left.redis as Pid).pid)).toBe(true);

  const second = launch();
  await second.line(/an earlier start was killed; stopping what it left: .*redis/);
  await second.line(readyLine);
  for (const { pid } of [...left.processes, left.redis as Pid]) expect(exists(pid)).toBe(false);
  expect((await runFile()).redisUrl).toBe(left.redisUrl);
});

test('leaves a stranger alone who has the number of a process that is gone', async () => {
  const first = launch();
  await first.line(readyLine);
  const run = await runFile();
  await first.stop('SIGTERM');
  const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true });
  const processes = [{ name: 'web.1', pid: stranger.pid, began: 'long ago', port: basePort }];
  await writeFile(join(root, 'data', 'run.json'), JSON.stringify({ ...run, launcher: null, redis: null, processes }));

  const second = launch();
  await second.line(readyLine);
  expect(exists(stranger.pid as number)).toBe(true);
  stranger.kill('SIGKILL');
});

test('a process that does not leave is killed, and all is over within 10 seconds', async () => {
  await procfile('web: node stand-in.mjs', 'fanout: node stubborn.mjs');
  const started = launch();
  await started.line(readyLine);
  const run = await runFile();
  const stopping = started.stop('SIGTERM');
  await started.line(/not leaving/);
  started.child.kill('SIGINT');
  started.child.kill('SIGHUP');
  expect(await stopping).toBeLessThan(10_000);
  expect(started.child.exitCode).toBe(0);
  for (const { pid } of [...run.processes, run.redis as Pid]) expect(exists(pid)).toBe(false);
});

test('a process that ends by itself before it was ready stops the start', async () => {
  await procfile('web: node stand-in.mjs', 'fanout: node hopeless.mjs');
  const started = launch();
  await started.ended;
  expect(started.child.exitCode).toBe(1);
  const output = started.output.join('\n');
  expect(output).toMatch(/fanout\.1 \| SETTING is wrong[^]*fanout\.1 ended with code 3 before it was ready/);
  expect(await runFile()).toMatchObject({ launcher: null, redis: null, processes: [] });
});

test('can be stopped before anything is ready', async () => {
  await procfile('web: node -e setInterval(()=>{},1000)');
  const started = launch();
  await expect
    .poll(
      () =>
        runFile().then(
          (run) => run.processes.length,
          () => 0,
        ),
      { timeout: 10_000 },
    )
    .toBe(1);
  const run = await runFile();
  expect(await started.stop('SIGHUP')).toBeLessThan(10_000);
  expect(started.child.exitCode).toBe(0);
  for (const { pid } of [...run.processes, run.redis as Pid]) expect(exists(pid)).toBe(false);
});

test('a worker whose port is taken is found on the port that it took', async () => {
  const other = await listen(basePort + 100);
  const started = launch();
  await started.line(new RegExp(`fanout\\.1 listens on port \\d+: ${basePort + 100} was taken`));
  await started.line(readyLine);
  expect((await processNamed('fanout.1')).port).not.toBe(basePort + 100);
  other.close();
});

test('a taken port of the gateway is said before anything starts', async () => {
  const other = await listen(basePort);
  const started = launch();
  await started.ended;
  expect(started.child.exitCode).toBe(1);
  expect(started.output.join('\n')).toContain(`port ${basePort} of web.1 is taken`);
  other.close();
});

test('uses the Redis of REDIS_URL and starts none', async () => {
  const started = launchWith({ REDIS_URL: 'redis://:secret@127.0.0.1:1/0' });
  await started.line(readyLine);
  expect(await runFile()).toMatchObject({ redis: null, redisUrl: 'redis://:secret@127.0.0.1:1/0' });
  expect(started.output.join('\n')).not.toContain('secret@');
});

/** npm runs scripts by a shell, and a signal to npm alone must still reach the launcher. */
test('a signal to npm alone stops everything with exit code 0', async () => {
  const started = launchWith({}, ['npm', 'start']);
  await started.line(readyLine);
  const run = await runFile();
  expect(run.launcher?.pid).not.toBe(started.child.pid);
  expect(await started.stop('SIGTERM')).toBeLessThan(10_000);
  expect(started.child.exitCode).toBe(0);
  for (const { pid } of [run.launcher as Pid, ...run.processes, run.redis as Pid]) expect(exists(pid)).toBe(false);
});

type Launched = {
  child: ChildProcess;
  /** The lines so far, of stdout and stderr. */
  output: string[];
  ended: Promise<void>;
  /** Resolves when a line of the output matches; rejects with the whole output when the launcher ends without one. */
  line(pattern: RegExp): Promise<void>;
  /** Milliseconds from the signal to the end. */
  stop(signal: NodeJS.Signals): Promise<number>;
};

function launch(...counts: string[]): Launched {
  return launchWith({}, [process.execPath, launcher, ...counts]);
}

function launchWith(env: Record<string, string>, command: string[] = [process.execPath, launcher]): Launched {
  const { AUTH_SECRET: _secret, AUTH_JWKS_URL: _keys, REDIS_URL: _url, HOST: _host, ...rest } = process.env;
  const [file = '', ...args] = command;
  const child: ChildProcess = spawn(file, args, {
    env: { ...rest, RESTANTE_ROOT: root, DATA_DIR: 'data', PORT: String(basePort), ...env },
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

const procfile = (...lines: string[]): Promise<void> => writeFile(join(root, 'Procfile'), `${lines.join('\n')}\n`);

const runFile = async (): Promise<RunFile> =>
  JSON.parse(await readFile(join(root, 'data', 'run.json'), 'utf8')) as RunFile;

async function processNamed(wanted: string) {
  const found = (await runFile()).processes.find(({ name }) => name === wanted);
  if (found === undefined) throw new Error(`${wanted} is not running`);
  return found;
}

async function withRedis(run: RunFile, use: (redis: Redis) => Promise<unknown>): Promise<void> {
  const redis = new Redis(run.redisUrl as string, { maxRetriesPerRequest: null });
  redis.on('error', () => {});
  try {
    await use(redis);
  } finally {
    redis.disconnect();
  }
}

/** Also false for one of which only the exit status is left, when nobody asks for that any more. */
function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** A base whose ports are free, below those that the system hands out by itself. */
async function freePorts(): Promise<number> {
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

async function listen(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
