import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createChild, until, untilLine } from './child-process.ts';
import type { ManagedProcess } from './process-group.ts';
import { isReady, listeningPort } from './readiness.ts';

/** The lines of the Procfile. */
export type Line = 'web' | 'fanout' | 'archive' | 'jobs' | 'search';
export const procfileLines: readonly Line[] = ['web', 'fanout', 'archive', 'jobs', 'search'];

export type ServerProcessOptions = {
  line: Line;
  /** 1 for the first process of its line; it is named `web-1`. */
  number: number;
  /** The directory of its log. */
  dir: string;
  /** Its whole environment, except PORT. Read at each start, so a getter may change it between two starts. */
  env: NodeJS.ProcessEnv;
  /** All lines in one process, which is called like the first. */
  single?: boolean;
  /** Options of Node in addition to those of the Procfile. */
  nodeOptions?: string[];
  readyWithinMs: number;
};

const root = fileURLToPath(new URL('../..', import.meta.url));
const procfile = readFileSync(join(root, 'Procfile'), 'utf8');
const singleProcfile = readFileSync(join(root, 'single-process', 'Procfile'), 'utf8');

/** The command of a line of the Procfile, run by this Node. Its paths are relative to the root of the repository. */
function commandOf(line: Line, single: boolean, nodeOptions: string[]): string[] {
  const [, args] = new RegExp(`^${line}: node (.+)$`, 'm').exec(single ? singleProcfile : procfile) ?? [];
  if (args === undefined) throw new Error(`the Procfile has no line ${line} that starts node`);
  return [process.execPath, ...nodeOptions, ...args.split(' ')];
}

/** One gateway or worker as the Procfile starts it, on a free port that it keeps over restarts. */
export function createServerProcess(options: ServerProcessOptions): ManagedProcess {
  const { line, number, dir, single = false, nodeOptions = [], readyWithinMs } = options;
  const name = `${line}-${number}`;
  const child = createChild(name, commandOf(line, single, nodeOptions), root, join(dir, `${name}.log`));
  let port: number | undefined;
  return {
    child,
    get port() {
      return port;
    },
    async bringUp() {
      await child.start({ ...options.env, PORT: String(port ?? 0) });
      const listening = await untilLine(child, 'listen', readyWithinMs, (text) => listeningPort(text, line));
      port = listening;
      await until(child, 'get ready', readyWithinMs, async () => ((await isReady(listening)) ? true : null));
    },
  };
}
