import type { Cluster } from './cluster.ts';

/**
 * A snapshot of the cluster's data in Redis; the returned function restores it. Expiring keys (leases) are left out:
 * they would have expired by then.
 */
export async function snapshot(cluster: Cluster): Promise<() => Promise<void>> {
  const all = await cluster.redis.keys(`${cluster.prefix}:*`);
  const lasting = await Promise.all(all.map(async (name) => (await cluster.redis.pttl(name)) === -1));
  const names = all.filter((_, i) => lasting[i]);
  const dumps = await Promise.all(names.map((name) => cluster.redis.dumpBuffer(name)));
  return async () => {
    await cluster.wipe();
    for (const [i, name] of names.entries()) if (dumps[i]) await cluster.redis.restore(name, 0, dumps[i]);
  };
}
