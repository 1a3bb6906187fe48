import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  exists,
  launch,
  launchInFoldersOfTheirOwn,
  place,
  processNamed,
  procfile,
  readyLine,
  runFile,
  withRedis,
  type Pid,
} from './launching.ts';

launchInFoldersOfTheirOwn();

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
  const secret = await readFile(join(place.root, 'data', 'auth-secret'), 'utf8');
  await first.stop('SIGTERM');

  const second = launch();
  await second.line(readyLine);
  const run = await runFile();
  // With the password of before.
  expect(run.redisUrl).toBe(redisUrl);
  await withRedis(run, async (redis) => expect(await redis.get('kept')).toBe('yes'));
  expect(await readFile(join(place.root, 'data', 'auth-secret'), 'utf8')).toBe(secret);
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
  const processes = [{ name: 'web.1', pid: stranger.pid, began: 'long ago', port: place.basePort }];
  await writeFile(
    join(place.root, 'data', 'run.json'),
    JSON.stringify({ ...run, launcher: null, redis: null, processes }),
  );

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
