import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The main job on traffic of a real shape: joins, leaves and lines of a channel, with devices coming and going. */
test('a generated log replays while processes are killed, and every device has exactly its messages', async () => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['cli/main.ts', 'rehearse-irc', '--generate', '350', '--speed', '60', '--seed', '7', '--kill'],
    { cwd: root, timeout: 280_000, maxBuffer: 10_000_000 },
  );
  expect(stdout).toMatch(/processes killed\s+[1-9]/);
  expect(stdout).toContain('No discrepancy');
}, 300_000);

type Case = {
  name: string;
  answers: Record<string, number>;
  innocent: { sent: number; refused: number; missing: number; disorder: number };
  ended: string[];
  contained: object;
};

/**
 * Short, and without the goals that need a quiet machine: waiting times and memory. The whole of it is a command of its
 * own.
 */
test('random frames and bytes end no process, cause no internal error, and cost others no message', async () => {
  // Exit code 1 says that a goal was missed: which ones count here is looked at below.
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['cli/main.ts', 'rehearse-abuse', '--only', 'fuzz-frames,fuzz-bytes', '--seconds', '6', '--rest', '0'],
    { cwd: root, timeout: 280_000, maxBuffer: 10_000_000 },
  ).catch((thrown: { stdout: string }) => thrown);
  const { cases } = JSON.parse(stdout.trim().split('\n').at(-1)!) as { cases: Case[] };
  expect(cases.map(({ name }) => name)).toEqual(['fuzz-frames', 'fuzz-bytes']);
  for (const { answers, innocent, ended, contained } of cases) {
    expect(Object.values(answers).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(50);
    expect({ ended, contained, internal: answers['internal'] ?? 0, failed: answers['500'] ?? 0 }).toEqual({
      ended: [],
      contained: {},
      internal: 0,
      failed: 0,
    });
    expect(innocent).toMatchObject({ refused: 0, missing: 0, disorder: 0 });
    expect(innocent.sent).toBeGreaterThan(100);
  }
}, 300_000);
