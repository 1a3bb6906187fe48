import { readFile } from 'node:fs/promises';
import { afterEach, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../../tools/harness/local-cluster.ts';
import { clean, startTraffic } from './traffic.ts';

/** A deployment of a new version: every process ends in good order and comes back, one after the other, under load. */

let cluster: Cluster;
afterEach(async () => {
  await cluster.stop();
});

/** In the order that docs/operations/deploying.md names. */
const order = ['fanout-1', 'fanout-2', 'archive-1', 'archive-2', 'jobs-1', 'web-1', 'web-2'];
const endsWithinMs = 8000;

type LogLine = { level: number; event: string; code?: string };

/** What all processes have logged, over all their runs. */
async function logged(): Promise<LogLine[]> {
  const logs = await Promise.all(order.map((name) => readFile(cluster.child(name).log, 'utf8')));
  return logs
    .flatMap((log) => log.split('\n'))
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as LogLine);
}

test('a rolling restart of everything fails no send, and loses, repeats and reorders nothing', async () => {
  cluster = await startCluster({ web: 2, fanout: 2, archive: 2, jobs: 1, env: { DRAIN_MS: '1000' } });
  /** Whom a load balancer does not choose now. */
  let leaving = '';
  let turn = 0;
  const chosen: string[] = [];
  const url = (): string => {
    const ready = cluster.urls.filter((_, i) => leaving !== `web-${i + 1}`);
    chosen.push(ready[turn++ % ready.length]!);
    return chosen.at(-1)!;
  };
  const codes = new Map<number, number>();
  // A send that fails for good rejects, and ends the test.
  const traffic = await startTraffic(cluster, 6, {
    url,
    restMs: 5,
    ended: (code) => codes.set(code, (codes.get(code) ?? 0) + 1),
  });

  const endings: { name: string; code: number | null; inTime: boolean; outcome: string | undefined }[] = [];
  for (const name of order) {
    await traffic.more(100);
    leaving = name;
    const began = Date.now();
    const code = await cluster.child(name).end('SIGTERM');
    const inTime = Date.now() - began < endsWithinMs;
    endings.push({
      name,
      code,
      inTime,
      outcome: /"event":"stopped","outcome":"(\w+)"/.exec(await cluster.child(name).output())?.[1],
    });
    // The rest of the cluster carries on meanwhile.
    await traffic.more(100);
    await cluster.start(name);
    leaving = '';
  }
  await traffic.more(100);
  const connections = chosen.length;

  expect(await traffic.end()).toMatchObject(clean);
  expect(endings).toEqual(order.map((name) => ({ name, code: 0, inTime: true, outcome: 'closed' })));
  // Nobody's connection was cut: each ended by the client after `drain`, or by the gateway with a code.
  expect([...codes.keys()].filter((code) => code !== 1000 && code !== 1001)).toEqual([]);
  // Twelve devices came once, half of them left the first gateway, and then all who were on the second.
  expect(connections).toBeGreaterThan(12 + 12);
  const lines = await logged();
  expect(lines.filter(({ event }) => event === 'started')).toHaveLength(2 * order.length);
  expect(lines.filter(({ event, code }) => event === 'refused' && code !== 'retry_later')).toEqual([]);
  expect(lines.filter(({ level }) => level >= 50)).toEqual([]);
}, 300_000);
