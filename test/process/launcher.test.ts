import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
// @ts-expect-error The launcher is plain JavaScript for older Node versions; its types are checked on their own.
import { redisSettings } from '../../tools/harness/redis-settings.mjs';
import {
  exists,
  launch,
  launchInFoldersOfTheirOwn,
  launchWith,
  listen,
  place,
  processNamed,
  procfile,
  readyLine,
  runFile,
  withRedis,
  type Pid,
} from './launching.ts';

launchInFoldersOfTheirOwn();

test('starts every line, tells what runs, and stops all of it with exit code 0', async () => {
  const started = launch();
  await started.line(/ws:\/\//);
  const run = await runFile();

  expect(run.processes.map(({ name, port }) => [name, port])).toEqual([
    ['web.1', place.basePort],
    ['fanout.1', place.basePort + 100],
  ]);
  expect(run.web).toEqual([place.basePort]);
  expect(run.launcher?.pid).toBe(started.child.pid);
  expect(started.output.join('\n')).toMatch(/^web\.1    \| \{"level":30,"event":"listening"/m);
  expect(started.output.join('\n')).toContain(`ws://127.0.0.1:${place.basePort}/v1/ws`);
  expect(await (await fetch(`http://127.0.0.1:${place.basePort}/`)).text()).toBe(run.redisUrl);

  const secret = join(place.root, 'data', 'auth-secret');
  expect((await readFile(secret, 'utf8')).trim()).toMatch(/^[\w-]{43,}$/);
  expect((await stat(secret)).mode & 0o777).toBe(0o600);

  const stoppedWithin = await started.stop('SIGINT');
  expect(stoppedWithin).toBeLessThan(10_000);
  expect(started.child.exitCode).toBe(0);
  expect(started.output.filter((line) => line.includes('leaving'))).toHaveLength(2);
  for (const { pid } of [...run.processes, run.redis as Pid]) expect(exists(pid)).toBe(false);
  expect(await runFile()).toMatchObject({ launcher: null, redisUrl: null, redis: null, processes: [], web: [] });
});

test('its Redis has the settings that operators are told', async () => {
  const started = launch();
  await started.line(readyLine);
  const redis = new Redis((await runFile()).redisUrl as string);
  const found = await redis.config('GET', ...Object.keys(redisSettings));
  redis.disconnect();
  const settings = Object.fromEntries(found.flatMap((name, i) => (i % 2 === 0 ? [[name, found[i + 1]]] : [])));
  expect(settings).toEqual({ ...redisSettings, 'auto-aof-rewrite-min-size': String(512 * 1024 * 1024) });
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
  for (const path of await readdir(join(place.root, 'data'), { recursive: true })) {
    const file = join(place.root, 'data', path);
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
  const dir = join(place.root, 'data', 'redis');
  await mkdir(dir, { recursive: true });
  const port = place.basePort + 2;
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
    ['web.1', place.basePort],
    ['web.2', place.basePort + 1],
    ['web.3', place.basePort + 2],
  ]);
});

test('refuses a line that the Procfile does not have, and lists the lines', async () => {
  const started = launch('mailer=1');
  await started.ended;
  expect(started.child.exitCode).toBe(1);
  expect(started.output.join('\n')).toMatch(/there is no line "mailer"[^]*the lines of the Procfile are: web, fanout/);
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
  const other = await listen(place.basePort + 100);
  const started = launch();
  await started.line(new RegExp(`fanout\\.1 listens on port \\d+: ${place.basePort + 100} was taken`));
  await started.line(readyLine);
  expect((await processNamed('fanout.1')).port).not.toBe(place.basePort + 100);
  other.close();
});

test('a taken port of the gateway is said before anything starts', async () => {
  const other = await listen(place.basePort);
  const started = launch();
  await started.ended;
  expect(started.child.exitCode).toBe(1);
  expect(started.output.join('\n')).toContain(`port ${place.basePort} of web.1 is taken`);
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
