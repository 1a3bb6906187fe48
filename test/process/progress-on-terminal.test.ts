import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** Progress on a real terminal, which `script` makes, beside lines of the command's answer. */

const script = '/usr/bin/script';
const progress = fileURLToPath(new URL('../../tools/progress/progress.mjs', import.meta.url));
const columns = 60;
const program = `
import { setTimeout as pause } from 'node:timers/promises';
import { createProgress, during } from ${JSON.stringify(progress)};
const { doing, end } = createProgress(process.stderr, { beside: process.stdout, env: process.env });
doing(during(10_000, 'sending to ' + 'everybody '.repeat(20)));
await pause(2500);
process.stdout.write('first answer\\n');
await pause(500);
process.stdout.write('second answer\\n');
await pause(500);
end();
process.stdout.write('third answer\\n');
`;

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'restante-terminal-'));
  await writeFile(join(dir, 'program.mjs'), program);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** What a terminal shows after these characters: those of progress are all that it has to understand. */
function screenAfter(text: string): string[] {
  const lines = [''];
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    const line = lines.at(-1)!;
    if (text.startsWith('\u001b[K', i)) {
      lines[lines.length - 1] = line.slice(0, at);
      i += 2;
    } else if (text[i] === '\r') at = 0;
    else if (text[i] === '\n') {
      lines.push('');
      at = 0;
    } else {
      lines[lines.length - 1] = line.slice(0, at) + text[i]! + line.slice(at + 1);
      at += 1;
    }
  }
  return lines;
}

test('is one line, which answers take the place of', async (context) => {
  if (!existsSync(script)) return context.skip(`no ${script}, which makes terminals`);
  const command = `stty cols ${columns}; '${process.execPath}' '${join(dir, 'program.mjs')}'`;
  const { stdout } = await promisify(execFile)(script, ['-qec', command, '/dev/null'], {
    env: { ...process.env, NO_COLOR: '1', TERM: 'xterm' },
  });
  const drawn = stdout.split('\r').filter((frame) => frame.startsWith('['));
  const frames = drawn.map((frame) => frame.replace('\u001b[K', ''));
  expect(frames.length).toBeGreaterThan(3);
  for (const frame of frames) expect(frame).toMatch(/^\[#+-+\]  +\d+%  sending to .+…  \d+ s left$/);
  expect(Math.max(...frames.map(({ length }) => length))).toBe(columns - 1);
  expect(screenAfter(stdout)).toEqual(['first answer', 'second answer', 'third answer', '']);
});
