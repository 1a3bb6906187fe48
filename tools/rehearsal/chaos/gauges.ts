import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { ChaosCluster } from './cluster.ts';
import type { ChaosEvent } from './recording.ts';

/** What the runner reads from outside: numbers that must come back, and what still waits at the end. */

const groups = ['inbox', 'history'];
const bytesPerKilobyte = 1024;
const settledLookMs = 200;

async function processGauges(cluster: ChaosCluster, phase: 'baseline' | 'end'): Promise<ChaosEvent[]> {
  const events = await Promise.all(
    cluster.names.map(async (name): Promise<ChaosEvent[]> => {
      const { pid } = cluster.child(name);
      if (pid === undefined) return [];
      const [status, files] = await Promise.all([
        readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''),
        readdir(`/proc/${pid}/fd`).catch(() => []),
      ]);
      const rss = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * bytesPerKilobyte;
      if (rss === 0) return [];
      return [
        { type: 'measured', phase, what: 'rss', of: name, value: rss },
        { type: 'measured', phase, what: 'fds', of: name, value: files.length },
      ];
    }),
  );
  return events.flat();
}

/** Of each process and of Redis. */
export async function gauges(cluster: ChaosCluster, phase: 'baseline' | 'end'): Promise<ChaosEvent[]> {
  const { redis } = cluster;
  const of = redis.primary.child.name;
  const memory = Number(await redis.info('memory', 'used_memory'));
  const keys = Number(await redis.command(['DBSIZE']));
  return [
    ...(await processGauges(cluster, phase)),
    { type: 'measured', phase, what: 'redis-memory', of, value: memory },
    { type: 'measured', phase, what: 'keys', of, value: keys },
  ];
}

type GroupInfo = (string | number | null)[];
const field = (group: GroupInfo, name: string): string | number | null => group[group.indexOf(name) + 1] ?? null;

/**
 * What each group has not settled in each partition. The lag is counted with XRANGE: that of XINFO is wrong after a
 * consumer group was set back.
 */
export async function waiting(cluster: ChaosCluster, partitions: number): Promise<ChaosEvent[]> {
  const events: ChaosEvent[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    const stream = `rst:{p${partition}}:messages`;
    const found = (await cluster.redis.command(['XINFO', 'GROUPS', stream]).catch(() => [])) as GroupInfo[];
    for (const group of found) {
      const name = String(field(group, 'name'));
      if (!groups.includes(name)) continue;
      const after = `(${field(group, 'last-delivered-id')}`;
      const unread = (await cluster.redis.command(['XRANGE', stream, after, '+', 'COUNT', 1000])) as unknown[];
      const pending = Number(field(group, 'pending'));
      events.push({ type: 'waiting', of: `${name} ${partition}`, lag: unread.length, pending });
    }
  }
  return events;
}

/** Resolves once every group has settled every entry, or the time is over: then the recording says what waits. */
export async function untilSettled(cluster: ChaosCluster, partitions: number, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (performance.now() < deadline) {
    const events = await waiting(cluster, partitions);
    const open = events.some((event) => event.type === 'waiting' && event.lag + event.pending > 0);
    if (!open) return;
    await pause(settledLookMs);
  }
}

/** The dead letters, as the first gateway that answers lists them. */
export async function deadLetters(cluster: ChaosCluster): Promise<ChaosEvent[]> {
  for (const gateway of cluster.direct) {
    const response = await fetch(`${gateway}/admin/api/dead-letters?limit=200`, {
      headers: { authorization: `Bearer ${cluster.adminToken}` },
      signal: AbortSignal.timeout(10_000),
    }).catch(() => null);
    if (response?.ok === true) return [{ type: 'dead-letters', text: await response.text() }];
  }
  return [];
}
