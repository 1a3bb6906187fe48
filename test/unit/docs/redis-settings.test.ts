import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
// @ts-expect-error The launcher is plain JavaScript for older Node versions; its types are checked on their own.
import { redisSettings } from '../../../tools/harness/redis-settings.mjs';

const read = (file: string): string => readFileSync(join(import.meta.dirname, '../../..', file), 'utf8');

test('docker compose starts Redis with the settings of npm start', () => {
  const command = /"redis-server",([^\]]+)\]/.exec(read('docker-compose.yml'))![1]!;
  const words = [...command.matchAll(/"([^"]*)"/g)].map(([, word]) => word!);
  const found = Object.fromEntries(words.flatMap((word, i) => (i % 2 === 0 ? [[word.slice(2), words[i + 1]]] : [])));
  // Its container has a limit, which the machine of npm start has not.
  const { maxmemory: _, ...settings } = found;
  expect(settings).toEqual(redisSettings);
});

test('the operations page shows them', () => {
  const page = read('docs/operations/redis-settings.md');
  const conf = /```conf\n([^`]+)```/.exec(page)![1]!;
  const found = Object.fromEntries(
    conf
      .trim()
      .split('\n')
      .map((line) => line.split('#')[0]!.trim().split(/\s+/)),
  );
  expect(found).toEqual({ ...redisSettings, save: '""' });
});
