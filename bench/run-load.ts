/** Runs the load generator against a server and returns its measurements. */
import { join } from 'node:path';
import { startChild } from './children.ts';
import type { Server } from './cluster.ts';
import type { LoadOptions, LoadResult } from './load.ts';

export async function runLoad(
  server: Server,
  options: Omit<LoadOptions, 'port' | 'authSecret' | 'processes'>,
  env: NodeJS.ProcessEnv,
): Promise<LoadResult> {
  const { port, authSecret, processes } = server;
  const file = join(import.meta.dirname, 'load.ts');
  const child = startChild({ name: 'load', command: process.execPath, args: [file], env, cwd: import.meta.dirname });
  child.write(JSON.stringify({ ...options, port, authSecret, processes } satisfies LoadOptions));
  try {
    const result = child.line(
      (line) => (line.startsWith('{"seconds"') ? (JSON.parse(line) as LoadResult) : null),
      options.warmUpMs + options.measureMs + 2 * options.patienceMs + 20_000,
    );
    return await Promise.race([result, server.failed]);
  } finally {
    await child.stop();
  }
}
