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

type Waiting = Extract<ChaosEvent, { type: 'waiting' }>;
type GroupInfo = (string | number | null)[];
const field = (group: GroupInfo, name: string): string | number | null => group[group.indexOf(name) + 1] ?? null;

type PendingEntry = [id: string, consumer: string, idleMs: number, deliveries: number];

/** Who has one of the entries that a group has not settled, and for how long: tells a stuck one from a new one. */
async function whoHasOne(cluster: ChaosCluster, stream: string, group: string): Promise<string> {
  const [first] = (await cluster.redis.command(['XPENDING', stream, group, '-', '+', 1])) as PendingEntry[];
  if (first === undefined) return 'settled meanwhile';
  const [id, consumer, idleMs, deliveries] = first;
  return `${id} with ${consumer} for ${idleMs} ms, read ${deliveries} times`;
}

/**
 * What each group has not settled in each partition. The lag is counted with XRANGE: that of XINFO is wrong after a
 * consumer group was set back.
 * @throws if Redis does not answer
 */
export async function waiting(cluster: ChaosCluster, partitions: number): Promise<Waiting[]> {
  const events: Waiting[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    const stream = `rst:{p${partition}}:messages`;
    const found = (await cluster.redis.command(['XINFO', 'GROUPS', stream]).catch((error: Error) => {
      if (error.message.includes('no such key')) return [];
      throw error;
    })) as GroupInfo[];
    for (const group of found) {
      const name = String(field(group, 'name'));
      if (!groups.includes(name)) continue;
      const after = `(${field(group, 'last-delivered-id')}`;
      const unread = (await cluster.redis.command(['XRANGE', stream, after, '+', 'COUNT', 1000])) as unknown[];
      const pending = Number(field(group, 'pending'));
      const held = pending === 0 ? {} : { one: await whoHasOne(cluster, stream, name) };
      events.push({ type: 'waiting', of: `${name} ${partition}`, lag: unread.length, pending, ...held });
    }
  }
  return events;
}

/**
 * What waits once every group has settled every entry, or the time is over.
 * @throws if Redis does not answer then
 */
export async function untilSettled(cluster: ChaosCluster, partitions: number, withinMs: number): Promise<Waiting[]> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const over = performance.now() >= deadline;
    const found = await waiting(cluster, partitions).catch((error: Error) => {
      if (over) throw error;
      return null;
    });
    if (found !== null && (over || found.every(({ lag, pending }) => lag + pending === 0))) return found;
    await pause(settledLookMs);
  }
}

/** The dead letters with their contents, by which a poison is known, as the first gateway that answers lists them. */
export async function deadLetters(cluster: ChaosCluster): Promise<ChaosEvent[]> {
  for (const gateway of cluster.direct) {
    const response = await fetch(`${gateway}/admin/api/dead-letters?content=1&limit=200`, {
      headers: { authorization: `Bearer ${cluster.adminToken}` },
      signal: AbortSignal.timeout(10_000),
    }).catch(() => null);
    if (response?.ok === true) return [{ type: 'dead-letters', text: await response.text() }];
  }
  return [];
}
