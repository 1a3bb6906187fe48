import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';

/** Tokens for the demo users of the chat app: for its own page on this machine, and for nobody else. */

type Reply = { status: number; body: string; headers: Record<string, unknown> };

/** Plain HTTP, because `fetch` sets `Host` and `Origin` itself. */
function ask(port: string, headers: Record<string, string>, body: string, method = 'POST'): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path: '/dev/token', method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text, headers: response.headers }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

const portOf = (cluster: Cluster): string => new URL(cluster.url()).port;
const json = { 'content-type': 'application/json' };
const alice = JSON.stringify({ user: 'alice' });

describe('a gateway in development', () => {
  let cluster: Cluster;
  let port: string;
  beforeAll(async () => {
    cluster = await startCluster({ fanout: false, archive: false });
    port = portOf(cluster);
  });
  afterAll(() => cluster.stop());
  const own = (host = `127.0.0.1:${port}`) => ({ ...json, host, origin: `http://${host}` });

  test('signs a token of an hour for its own page, by any name of this machine', async () => {
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`]) {
      const { status, body, headers } = await ask(port, own(host), alice);
      expect(status).toBe(200);
      expect(headers['cache-control']).toBe('no-store');
      const { token } = JSON.parse(body) as { token: string };
      const { iat, exp, sub, ...rest } = JSON.parse(
        Buffer.from(token.split('.')[1]!, 'base64url').toString(),
      ) as Record<string, number>;
      expect([sub, exp! - iat!, rest]).toEqual(['alice', 3600, {}]);
      expect((await cluster.http(token, 'GET', '/conversations')).status).toBe(200);
    }
  });

  test.each<[what: string, headers: (port: string) => Record<string, string>]>([
    ['no origin', (at) => ({ ...json, host: `127.0.0.1:${at}` })],
    ['another origin', (at) => ({ ...json, host: `127.0.0.1:${at}`, origin: 'https://evil.example' })],
    ['an origin that is null', (at) => ({ ...json, host: `127.0.0.1:${at}`, origin: 'null' })],
    ['another port', (at) => ({ ...json, host: `127.0.0.1:${at}`, origin: 'http://127.0.0.1:1' })],
    [
      'a name that was made to lead here',
      (at) => ({ ...json, host: `evil.example:${at}`, origin: `http://evil.example:${at}` }),
    ],
    [
      'a name that begins like ours',
      (at) => ({ ...json, host: `127.0.0.1.evil.example:${at}`, origin: `http://127.0.0.1.evil.example:${at}` }),
    ],
    [
      'a proxy in between',
      (at) => ({
        ...json,
        host: `127.0.0.1:${at}`,
        origin: `http://127.0.0.1:${at}`,
        'x-forwarded-for': '203.0.113.5',
      }),
    ],
  ])('answers 404 to %s', async (_, headers) => {
    const { status, body } = await ask(port, headers(port), alice);
    expect(status).toBe(404);
    expect(body).not.toContain('token"');
  });

  test.each<[what: string, body: string]>([
    ['no user', '{}'],
    ['a user that is no id', JSON.stringify({ user: '../x' })],
    ['a long user', JSON.stringify({ user: 'x'.repeat(65) })],
    ['a list', '[]'],
    ['no JSON', 'user=alice'],
  ])('refuses %s', async (_, body) => {
    const { status, body: text } = await ask(port, own(), body);
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({ error: { code: 'bad_request' } });
  });

  test('refuses a body above one KiB, and another type', async () => {
    expect((await ask(port, own(), JSON.stringify({ user: 'alice', more: 'x'.repeat(2000) }))).status).toBe(413);
    expect((await ask(port, { ...own(), 'content-type': 'text/plain' }, alice)).status).toBe(400);
    expect((await ask(port, own(), '', 'GET')).status).toBe(404);
  });

  test('serves the app with a strict policy, and never a file beside it', async () => {
    const base = `http://127.0.0.1:${port}`;
    const sheet = await fetch(`${base}/app/files/app.css`);
    expect([sheet.status, sheet.headers.get('content-type')]).toEqual([200, 'text/css; charset=utf-8']);
    const again = await fetch(`${base}/app/files/app.css`, {
      headers: { 'if-none-match': sheet.headers.get('etag')! },
    });
    expect([again.status, await again.text()]).toEqual([304, '']);
    for (const path of [
      'files/../main.ts',
      'files/%2e%2e/main.ts',
      'main.ts',
      'code/../tsconfig.json',
      'lit-html/package.json',
      'files/.hidden.css',
      'code//app/main.js',
      '',
    ])
      expect([path, (await fetch(`${base}/app/${path}`)).status]).toEqual([path, 404]);
  });
});

test.each<[what: string, env: Record<string, string>]>([
  ['in production', { NODE_ENV: 'production' }],
  ['on an address that others reach', { HOST: '0.0.0.0' }],
  ['behind a proxy', { TRUST_PROXY: '1' }],
])('there is no such route %s', async (_, env) => {
  const cluster = await startCluster({ fanout: false, archive: false, env });
  try {
    const port = portOf(cluster);
    const host = `127.0.0.1:${port}`;
    expect((await ask(port, { ...json, host, origin: `http://${host}` }, alice)).status).toBe(404);
    if (env['NODE_ENV'] === 'production') {
      expect((await fetch(`http://${host}/`)).status).toBe(404);
      expect((await fetch(`http://${host}/app/files/app.css`)).status).toBe(404);
    }
  } finally {
    await cluster.stop();
  }
});
