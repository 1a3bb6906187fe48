import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Overview } from '../../../gateway/admin/overview.ts';
import { createDeadLetters } from '../../../shared/redis/dead-letters.ts';
import { createProcesses, type ProcessReport } from '../../../shared/redis/processes.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { sendMany } from '../../support/sending.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, jobs: true, env: { ADMIN_TOKEN: 'the-token-of-the-desk' } });
});
afterAll(() => cluster.stop());

const ask = (headers: Record<string, string> = { authorization: 'Bearer the-token-of-the-desk' }) =>
  fetch(`${cluster.url().replace(/^ws/, 'http').replace('/v1/ws', '')}/admin/api/overview`, { headers });
const overview = async () => (await (await ask()).json()) as Overview;
const roles = ({ processes }: Overview) => processes.map(({ role }) => role);
const patient = { timeout: 10_000, interval: 100 };

test('nobody reads it without the token', async () => {
  expect((await ask({})).status).toBe(401);
});

test('every process says where it is, what it does and what it takes', async () => {
  await createDeadLetters(cluster.redis, cluster.keys).add({
    id: 'letter-1',
    reason: 'undelivered',
    at: Date.now(),
    attempts: 5,
    error: 'not received',
    subject: { user: 'bob', device: 'phone' },
  });
  const alice = await cluster.connect('alice');
  await cluster.connect('bob', { gateway: 2 });
  await vi.waitFor(
    async () => expect(roles(await overview())).toEqual(['archive', 'fanout', 'jobs', 'web', 'web']),
    patient,
  );

  await sendMany(alice, 'bob', 400);
  const { totals, processes, redis, deadLetters } = await vi.waitFor(async () => {
    const found = await overview();
    expect(found.totals).toMatchObject({
      connections: 2,
      acceptedPerS: expect.any(Number),
      acceptP99Ms: expect.any(Number),
      deliverP99Ms: expect.any(Number),
    });
    return found;
  }, patient);
  const gateways = processes.filter(({ role }) => role === 'web');
  expect(gateways.map(({ connections }) => connections)).toEqual([1, 1]);
  expect(totals.acceptedPerS).toBeGreaterThan(0);
  expect(totals.acceptP50Ms).toBeLessThanOrEqual(totals.acceptP99Ms!);
  expect(totals.deliverP50Ms).toBeLessThanOrEqual(totals.deliverP99Ms!);
  for (const { host, pid, at, residentBytes, eventLoopP99Ms } of processes) {
    expect(host).not.toBe('');
    expect(pid).toBeGreaterThan(0);
    expect(Date.now() - at).toBeLessThan(10_000);
    expect(residentBytes).toBeGreaterThan(10e6);
    expect(eventLoopP99Ms).toBeGreaterThanOrEqual(0);
  }
  expect(redis).toEqual({
    version: expect.stringMatching(/^\d+\.\d+/),
    usedBytes: expect.any(Number),
    maxBytes: expect.any(Number),
  });
  expect(redis.usedBytes).toBeGreaterThan(0);
  expect(deadLetters.undelivered).toBe(1);
});

test('a process that ended is gone at once, one that died is left out and removed by the next start', async () => {
  await vi.waitFor(async () => expect(roles(await overview())).toContain('jobs'), patient);
  const [known] = (await overview()).processes as [ProcessReport];
  await cluster.end('jobs-1');
  expect(roles(await overview())).not.toContain('jobs');

  const { redis, keys } = cluster;
  await redis.hset(keys.processes, 'died', JSON.stringify({ ...known, id: 'died', at: Date.now() - 11_000 }));
  const ids = async () => (await createProcesses(redis, keys).list()).map(({ id }) => id);
  expect(await ids()).not.toContain('died');
  expect(await redis.hexists(keys.processes, 'died')).toBe(1);
  await cluster.start('jobs-1');
  await vi.waitFor(async () => expect(await redis.hexists(keys.processes, 'died')).toBe(0), patient);
  expect(await ids()).toContain(known.id);
});
