import { join } from 'node:path';
import type { Server, ServerOptions } from './cluster.ts';

/** Starts a cluster of a checkout of this repository, which may be an older one. */
export async function startCheckout(checkout: string): Promise<Server> {
  const { startCluster } = (await import(join(checkout, 'bench/cluster.ts'))) as {
    startCluster(options: ServerOptions): Promise<Server>;
  };
  return startCluster({ env: process.env });
}
