import { execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const autogroup = '/proc/self/autogroup';
const file = new URL('../../../../shared/process/yield-processor.ts', import.meta.url);
const script = `
  import { existsSync, readdirSync, readFileSync } from 'node:fs';
  import { getPriority } from 'node:os';
  import { Worker } from 'node:worker_threads';
  import { yieldProcessor } from ${JSON.stringify(file.href)};
  const worker = new Worker('setInterval(() => undefined, 1000)', { eval: true });
  await new Promise((resolve) => worker.once('online', resolve));
  yieldProcessor(5);
  const threads = existsSync('/proc/self/task') ? readdirSync('/proc/self/task') : [];
  const priorities = [...new Set(threads.map((thread) => getPriority(Number(thread))))];
  const group = existsSync('${autogroup}') ? readFileSync('${autogroup}', 'utf8') : '';
  console.log(JSON.stringify({ priority: getPriority(), priorities, group }));
  process.exit();
`;
const args = ['--input-type=module', '--eval', script];
const own = existsSync(autogroup) ? readFileSync(autogroup, 'utf8') : '';

test('all threads of the process take the lower priority, and leave the session of others alone', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const priorities = existsSync('/proc/self/task') ? [5] : [];
  expect(JSON.parse(stdout)).toEqual({ priority: 5, priorities, group: own });
});

test.skipIf(own === '')('a session of its own yields with it', async () => {
  const child = spawn(process.execPath, args, { detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  const { priority, group } = JSON.parse(await text(child.stdout)) as { priority: number; group: string };
  expect(priority).toBe(5);
  expect(group).toMatch(/ nice 5\n$/);
});
