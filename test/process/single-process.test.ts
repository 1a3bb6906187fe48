import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../../tools/harness/local-cluster.ts';
import { clean, startTraffic } from './traffic.ts';

/** All roles in one process (single-process/main.ts): the promises are the same, and they end together. */

const roles = ['web', 'fanout', 'archive', 'jobs', 'search'];
let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ single: true });
}, 60_000);

afterAll(async () => {
  await cluster.stop();
});

type Line = { role: string; event: string; port?: number };
const log = async (): Promise<Line[]> =>
  (await readFile(join(cluster.dir, 'web-1.log'), 'utf8'))
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line);

const http = (): string => cluster.url.replace('ws:', 'http:');

describe('all roles in one process', () => {
  test('each have a port for health and metrics', async () => {
    const ports = new Map<string, number>();
    for (const { role, event, port } of await log()) if (event === 'listening') ports.set(role, port!);
    expect([...ports.keys()].sort()).toEqual(roles.toSorted());
    for (const [role, port] of ports) {
      const ready = await fetch(`http://127.0.0.1:${port}/readyz`);
      expect([role, ready.status]).toEqual([role, 200]);
      const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      expect(metrics).toContain(`role="${role}"`);
    }
  });

  test('store, and find what was stored', async () => {
    const headers = { authorization: `Bearer ${await cluster.token('alice')}`, 'content-type': 'application/json' };
    const body = { to: 'bob', clientId: 'one', kind: 'text', body: { text: 'the quick brown fox' }, level: 'stored' };
    const sent = await fetch(`${http()}/v1/messages`, { method: 'POST', headers, body: JSON.stringify(body) });
    expect([sent.status, ((await sent.json()) as { level: string }).level]).toEqual([201, 'stored']);
    const found = async (): Promise<number> => {
      const answer = await fetch(`${http()}/v1/search?q=brown`, { headers });
      return answer.ok ? ((await answer.json()) as { messages: unknown[] }).messages.length : 0;
    };
    await expect.poll(found, { timeout: 20_000 }).toBe(1);
  }, 30_000);

  test('lose, repeat and reorder nothing when they are killed together', async () => {
    const traffic = await startTraffic(cluster, 4);
    for (let time = 0; time < 2; time++) {
      await traffic.more(150);
      await cluster.kill('web-1');
      await cluster.start('web-1');
    }
    await traffic.more(150);
    expect(await traffic.end()).toMatchObject(clean);
  }, 180_000);

  test('end with exit code 0 once all of them have closed', async () => {
    const began = performance.now();
    expect(await cluster.child('web-1').end('SIGTERM')).toBe(0);
    expect(performance.now() - began).toBeLessThan(8000);
    const stopped = (await log()).filter(({ event }) => event === 'stopped').map(({ role }) => role);
    expect(stopped.sort()).toEqual(roles.toSorted());
  });
});
