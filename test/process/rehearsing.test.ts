import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The main job on traffic of a real shape: joins, leaves and lines of a channel, with devices coming and going. */
it('a generated channel log replays with processes being killed, and every device has exactly its own messages', async () => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['cli/main.ts', 'rehearse-irc', '--generate', '350', '--speed', '60', '--seed', '7', '--kill'],
    { cwd: root, timeout: 110_000, maxBuffer: 10_000_000 },
  );
  expect(stdout).toMatch(/processes killed\s+[1-9]/);
  expect(stdout).toContain('No discrepancy');
}, 120_000);
