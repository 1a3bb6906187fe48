import { execFile } from 'node:child_process';
import { inject } from 'vitest';
import type { Cluster } from './cluster.ts';

/** A command line as an operator calls it on the machine of a cluster. Resolves also if it fails. */
export const runCli = (
  cluster: Cluster,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    const ofCluster = {
      REDIS_URL: inject('redisUrl'),
      KEY_PREFIX: cluster.prefix,
      DATA_DIR: cluster.dir,
      AUTH_SECRET: cluster.secret,
      PORT: new URL(cluster.url()).port,
    };
    execFile(
      process.execPath,
      ['cli/main.ts', ...args],
      { env: { ...process.env, ...ofCluster, ...env } },
      (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });
