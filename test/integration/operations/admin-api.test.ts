import { execFile } from 'node:child_process';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { createDeadLetters, type DeadLetters } from '../../../shared/redis/dead-letters.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';

const token = 'an-admin-token-of-today';
const other = 'the-token-before';
const bearer = { authorization: `Bearer ${token}` };
const basic = (password: string) => ({
  authorization: `Basic ${Buffer.from(`operator:${password}`).toString('base64')}`,
});

let cluster: Cluster;
let deadLetters: DeadLetters;
beforeAll(async () => {
  cluster = await startCluster({ jobs: true, env: { ADMIN_TOKEN: `${token},${other}` } });
  deadLetters = createDeadLetters(cluster.redis, cluster.keys);
});
afterAll(() => cluster.stop());

/** The path goes out as it is: fetch would tidy it up. */
const ask = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  new Promise<{ status: number; body: string; headers: Record<string, unknown> }>((resolve, reject) => {
    const { hostname, port } = new URL(cluster.url().replace(/^ws/, 'http'));
    const sent = request({ hostname, port, path, method, headers }, (response) => {
      const { statusCode, headers: answered } = response;
      text(response).then((body) => resolve({ status: statusCode!, body, headers: answered }), reject);
    });
    sent.on('error', reject);
    sent.end();
  });

const letterOf = (n: number) => ({
  id: `letter-${n}`,
  reason: 'undelivered' as const,
  at: n,
  attempts: 5,
  error: '<b>not received</b>',
  subject: { user: 'bob', device: 'phone' },
});

describe('access', () => {
  test('a bearer, and the password of any user name; every token of the list', async () => {
    for (const headers of [bearer, basic(token), basic(other), { authorization: `Bearer ${other}` }]) {
      expect((await ask('/admin/api/partitions', headers)).status).toBe(200);
    }
  });

  test.each([
    '/admin',
    '/admin/',
    '/admin/api/partitions',
    '/admin/api/dead-letters',
    '/admin/nowhere',
    '/admin/queues',
  ])('nobody else: %s', async (path) => {
    for (const headers of [
      {},
      basic(''),
      basic(`${token}x`),
      { authorization: `Bearer ${token.slice(1)}` },
      { authorization: 'Basic ???' },
    ]) {
      const { status, headers: answered } = await ask(path, headers);
      expect(status).toBe(401);
      expect(answered['www-authenticate']).toContain('Basic');
    }
  });

  test.each([
    '//admin',
    '/admin%2f..',
    '/%2e%2e/admin',
    '/admin/..;/',
    '/admin.',
    '/ADMIN',
    '/admin/../admin/api/partitions',
  ])('no odd path leads around it: %s', async (path) => {
    expect([401, 404]).toContain((await ask(path)).status);
  });

  test('what changes something needs what a foreign page cannot send', async () => {
    await deadLetters.add(letterOf(1));
    const path = '/admin/api/dead-letters/letter-1/replay';
    expect((await ask(path, {}, 'POST')).status).toBe(401);
    expect((await ask(path, basic(token), 'POST')).status).toBe(403);
    expect((await deadLetters.find('letter-1'))?.replayed).toBeUndefined();
    expect(
      (
        await ask(
          path,
          { ...basic(token), origin: 'https://evil.example', 'access-control-request-headers': 'x-restante-admin' },
          'OPTIONS',
        )
      ).headers,
    ).not.toHaveProperty('access-control-allow-origin');
    expect((await ask(path, { ...basic(token), 'x-restante-admin': '1' }, 'POST')).status).toBe(202);
    await vi.waitFor(async () => expect((await deadLetters.find('letter-1'))?.replayed).toBeDefined(), {
      timeout: 10_000,
    });
    expect(await ask(path, bearer, 'POST')).toMatchObject({ status: 200, body: expect.stringContaining('done') });
    expect((await ask('/admin/api/dead-letters/letter-unknown/replay', bearer, 'POST')).status).toBe(404);
  });
});

test('partitions have their owners and what is unsettled', async () => {
  await cluster.settled();
  await vi.waitFor(
    async () => {
      const { partitions } = JSON.parse((await ask('/admin/api/partitions', bearer)).body);
      expect(partitions.length).toBe(cluster.keys.partitions);
      for (const { groups } of partitions) {
        expect(groups).toEqual({
          inbox: { owner: expect.any(String), unsettled: 0 },
          history: { owner: expect.any(String), unsettled: 0 },
        });
      }
    },
    { timeout: 10_000, interval: 100 },
  );
});

test('the content of a dead letter is shown only to who asks for it', async () => {
  const id = 'history-0-1-0';
  const subject = { group: 'history', partition: 0, entry: '1-0' };
  await deadLetters.add({ id, reason: 'poison', at: 1, attempts: 1, error: 'x', subject, content: '["a body"]' });
  const list = async (query: string): Promise<unknown[]> =>
    JSON.parse((await ask(`/admin/api/dead-letters?reason=poison${query}`, bearer)).body).deadLetters;
  expect((await ask('/admin/api/dead-letters', bearer)).body).not.toContain('a body');
  expect(await list('')).toMatchObject([{ id, subject }]);
  expect(await list('&content=1')).toMatchObject([{ id, subject, content: '["a body"]' }]);
  const command = async (...args: string[]): Promise<string> => {
    const env = { ...process.env, REDIS_URL: inject('redisUrl'), KEY_PREFIX: cluster.prefix };
    return (await promisify(execFile)(process.execPath, ['cli/main.ts', 'dead-letters', ...args], { env })).stdout;
  };
  const [plain, whole] = await Promise.all([command(), command('--content')]);
  expect(plain).toContain(id);
  expect(plain).not.toContain('a body');
  expect(whole).toContain('\n  ["a body"]\n');
});

test('of 100,000 dead letters one page comes, and wrong questions are refused', { timeout: 240_000 }, async () => {
  for (let n = 100; n < 100_100; n += 1000)
    await Promise.all(Array.from({ length: 1000 }, (_, i) => deadLetters.add(letterOf(n + i))));
  const [page, list] = await Promise.all([ask('/admin', basic(token)), ask('/admin/api/dead-letters', bearer)]);
  expect(page.status).toBe(200);
  expect(page.headers['content-security-policy']).toContain("default-src 'none'");
  expect(page.headers['content-security-policy']).not.toContain('unsafe');
  expect(list.body.length).toBeLessThan(50_000);
  const { deadLetters: letters, counts, next } = JSON.parse(list.body);
  expect(letters.length).toBe(50);
  expect(letters[0].id).toBe('letter-100099');
  expect(counts.undelivered).toBe(100_000);
  expect(JSON.parse((await ask(`/admin/api/dead-letters?after=${next}&limit=1`, bearer)).body).deadLetters[0].id).toBe(
    'letter-100049',
  );
  for (const query of ['limit=0', 'limit=201', 'limit=x', 'reason=none', 'after=a:b']) {
    expect((await ask(`/admin/api/dead-letters?${query}`, bearer)).status).toBe(400);
  }
});

test('without ADMIN_TOKEN every admin route is 404', async () => {
  const without = await startCluster({ fanout: false, archive: false });
  try {
    const base = without
      .url()
      .replace(/^ws/, 'http')
      .replace(/\/v1\/ws$/, '');
    for (const path of ['/admin', '/admin/api/partitions', '/admin/queues/']) {
      expect((await fetch(`${base}${path}`, { headers: bearer })).status).toBe(404);
    }
  } finally {
    await without.stop();
  }
});
