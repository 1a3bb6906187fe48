import { readFileSync } from 'node:fs';

const procfile = readFileSync(new URL('../../Procfile', import.meta.url), 'utf8');

/** The command of a line of the Procfile, run by this Node. Its paths begin at the top of the repository. */
export function commandOf(line: string): string[] {
  const [, args] = new RegExp(`^${line}: node (.+)$`, 'm').exec(procfile) ?? [];
  if (args === undefined) throw new Error(`the Procfile has no line ${line} that starts node`);
  return [process.execPath, ...args.split(' ')];
}
