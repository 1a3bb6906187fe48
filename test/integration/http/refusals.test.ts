import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { type Api, apiOf, type Extra, refusal, textTo } from '../../support/http-client.ts';
import { nowSeconds, signClaims } from '../../support/token.ts';

const allowed = 'https://app.example.com';
let cluster: Cluster;
let api: Api;
beforeAll(async () => {
  const env = {
    ALLOWED_ORIGINS: `https://other.example.com/, ${allowed}`,
    SEND_RATE_PER_USER: '3',
    BACKLOG_MAX_ENTRIES: '100',
    PARTITIONS: '1',
  };
  cluster = await startCluster({ fanout: false, archive: false, env });
  api = apiOf(cluster, cluster.token('alice'));
});
afterAll(() => cluster.stop());

function address(): { host: string; port: number } {
  const { hostname, port } = new URL(cluster.url());
  return { host: hostname, port: Number(port) };
}

/** Writes bytes as they are and reads until the server closes, or a whole head has come. */
async function raw(head: string, body = ''): Promise<string> {
  const socket = connect(address());
  socket.on('error', () => undefined);
  let text = '';
  socket.on('data', (data) => (text += data.toString()));
  socket.write(head.replaceAll('\n', '\r\n') + body);
  while (!text.includes('\r\n\r\n') && !socket.closed)
    await Promise.race([once(socket, 'data'), once(socket, 'close')]);
  socket.destroy();
  return text;
}
const headOf = (path: string, lines: string): string =>
  `POST /v1${path} HTTP/1.1\nHost: x\nAuthorization: Bearer ${cluster.token('alice')}\n` +
  `Content-Type: application/json\n${lines}\n\n`;

describe('tokens', () => {
  const now = nowSeconds();
  const good = { sub: 'alice', exp: now + 100 };
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const publicPem = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString();
  const signed = (claims: object, header?: object) => signClaims(claims, cluster.secret, header);

  test.each<[string, () => string | null]>([
    ['no header', () => null],
    ['an empty header', () => ''],
    ['another scheme', () => 'Basic YWxpY2U6cGFzcw=='],
    ['no token', () => 'Bearer'],
    ['two tokens', () => `Bearer ${signed(good)} ${signed(good)}`],
    ['not a token', () => 'Bearer x.y.z'],
    ['another secret', () => `Bearer ${signClaims(good, 'x'.repeat(32))}`],
    ['no signature', () => `Bearer ${signClaims(good, null)}`],
    ['algorithm none', () => `Bearer ${signClaims(good, null, { alg: 'none' })}`],
    ['algorithm none, signed', () => `Bearer ${signed(good, { alg: 'none' })}`],
    ['a public key as the secret', () => `Bearer ${signClaims(good, publicPem)}`],
    ['RS256 in the header', () => `Bearer ${signed(good, { alg: 'RS256' })}`],
    ['HS512 in the header', () => `Bearer ${signed(good, { alg: 'HS512' })}`],
    ['no exp', () => `Bearer ${signed({ sub: 'alice' })}`],
    ['an exp of the past', () => `Bearer ${signed({ sub: 'alice', exp: now - 1 })}`],
    ['an exp that is a text', () => `Bearer ${signed({ sub: 'alice', exp: String(now + 100) })}`],
    ['an exp that is null', () => `Bearer ${signed({ sub: 'alice', exp: NaN })}`],
    ['a negative exp', () => `Bearer ${signed({ sub: 'alice', exp: -1 })}`],
    ['an nbf of the future', () => `Bearer ${signed({ ...good, nbf: now + 50 })}`],
    ['no sub', () => `Bearer ${signed({ exp: now + 100 })}`],
    ['a sub that is no id', () => `Bearer ${signed({ sub: 'a b', exp: now + 100 })}`],
    ['a sub that is a number', () => `Bearer ${signed({ sub: 5, exp: now + 100 })}`],
    ['a dev that is no id', () => `Bearer ${signed({ ...good, dev: '../x' })}`],
  ])('%s is refused, always in the same words', async (_what, authorization) => {
    const given = authorization();
    const response = await fetch(cluster.url().replace('ws:', 'http:').replace('/ws', '/devices'), {
      headers: given === null ? {} : { authorization: given },
    });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    expect(await response.text()).toBe(
      '{"error":{"code":"unauthenticated","message":"the token is not valid","retryable":false}}',
    );
  });

  test('a key id in the header leads nowhere', async () => {
    for (const kid of ['../../etc/passwd', "' OR 1=1 --"]) {
      const token = signed(good, { alg: 'HS256', kid });
      expect((await apiOf(cluster, token)('GET', '/devices')).status).toBe(200);
      expect(refusal(await apiOf(cluster, `${token}x`)('GET', '/devices'))).toEqual([401, 'unauthenticated']);
    }
    expect(publicKey.type).toBe('public');
  });

  test('every route but the documents wants one', async () => {
    const none = apiOf(cluster, 'none');
    for (const path of ['/messages', '/conversations', '/inbox', '/nothing', '/search?q=x']) {
      for (const method of ['GET', 'POST']) expect(refusal(await none(method, path))).toEqual([401, 'unauthenticated']);
    }
    const base = cluster.url().replace('ws:', 'http:').replace('/ws', '');
    const document = await fetch(`${base}/openapi.json`);
    expect([document.status, document.headers.get('content-type')]).toEqual([200, 'application/json']);
    expect(((await document.json()) as { openapi: string }).openapi).toBe('3.1.0');
    const page = await fetch(`${base}/docs`);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, expect.stringContaining('text/html')]);
    expect(await page.text()).not.toMatch(/https?:\/\//);
  });
});

describe('what is not served', () => {
  test.each([
    ['GET', '/nothing'],
    ['GET', ''],
    ['GET', '/'],
    ['POST', '/devices'],
    ['DELETE', '/conversations/x'],
  ])('%s %s is not_found', async (method, path) => {
    const reply = await api(method, path);
    expect(reply.body).toEqual({ error: { code: 'not_found', message: 'no such route', retryable: false } });
    expect(reply.status).toBe(404);
  });
});

describe('ids and numbers', () => {
  const badIds = [
    '%7D',
    '%7D%7Da',
    '%7Bz%7D',
    'x%7Dy',
    '*',
    'a%20b',
    '%0D%0A',
    '%00',
    'x'.repeat(65),
    'x'.repeat(1024),
    'a%2Fb',
    'a:b',
    '%F0%9F%98%80',
    'e%CC%81',
    '%ff',
    'a.b',
    '%ED%A0%80',
  ];

  test.each(badIds)('%s is no id', async (id) => {
    for (const [method, path, body] of [
      ['GET', `/conversations/${id}`],
      ['GET', `/conversations/${id}/messages`],
      ['PUT', `/conversations/x/members/${id}`],
      ['DELETE', `/conversations/${id}/members/x`],
      ['PUT', `/conversations/${id}/read`, { seq: 1 }],
      ['DELETE', `/devices/${id}`],
      ['GET', `/inbox?device=${id}`],
      ['GET', `/conversations/x/members?after=${id}`],
      ['GET', `/inbox?user=${id}`],
    ] as const) {
      expect([method, path, ...refusal(await api(method, path, body))]).toEqual([method, path, 400, 'bad_request']);
    }
  });

  const numbers = [
    '',
    '-1',
    '-0',
    '+1',
    '1.5',
    '1e9',
    '1e400',
    'abc',
    '00',
    '01',
    '0x1',
    '%201',
    '1%20',
    '٣',
    '9007199254740992',
    '9007199254740993',
    '9'.repeat(30),
    'NaN',
    'Infinity',
    'null',
    '$',
    '(0',
    '0-0-0',
    '%3E',
  ];
  test.each(numbers)('%j is no number', async (number) => {
    for (const path of [
      `/inbox?after=${number}`,
      `/inbox?limit=${number}`,
      `/conversations?limit=${number}`,
      `/conversations/x/members?limit=${number}`,
      `/conversations/x/messages?before=${number}`,
      `/conversations/x/messages?after=${number}`,
      `/conversations/x/messages?limit=${number}`,
    ]) {
      expect([path, ...refusal(await api('GET', path))]).toEqual([path, 400, 'bad_request']);
    }
  });

  test.each([
    ['/inbox', 200],
    ['/conversations', 100],
    ['/conversations/x/messages', 100],
    ['/conversations/x/members', 1000],
  ])('%s takes limits from 1 to %i', async (path, most) => {
    for (const limit of [0, most + 1, 1_000_000_000])
      expect(refusal(await api('GET', `${path}?limit=${limit}`))).toEqual([400, 'bad_request']);
    const [status] = refusal(await api('GET', `${path}?limit=${most}`));
    expect(status).toBe(path.includes('/x/') ? 404 : 200);
  });

  test('alternatives and repetitions are refused', async () => {
    for (const path of [
      '/conversations/x/messages?before=5&after=1',
      '/inbox?limit=1&limit=2',
      '/inbox?after=1&after=1',
    ]) {
      expect(refusal(await api('GET', path))).toEqual([400, 'bad_request']);
    }
    expect((await api('GET', '/inbox?limits=5&later=x')).status).toBe(200);
  });
});

describe('bodies', () => {
  const send = () => JSON.stringify(textTo({ to: 'bob' }));
  const post = async (extra: Extra) =>
    refusal(await apiOf(cluster, cluster.token(cluster.user('sender')))('POST', '/messages', undefined, extra));

  test('are JSON objects in UTF-8', async () => {
    for (const text of ['', '{', 'null', '[]', '"x"', '1', `\ufeff${send()}`, `${send()},`, '{"clientId":undefined}']) {
      expect([text, ...(await post({ text }))]).toEqual([text, 400, 'bad_request']);
    }
    expect(
      await post({ text: Buffer.concat([Buffer.from(send().slice(0, -2)), Buffer.from([0xff, 0x22, 0x7d])]) }),
    ).toEqual([400, 'bad_request']);
    expect(await post({ text: send() })).toEqual([201, undefined]);
  });

  test('come as application/json, unpacked', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/jsonx',
    ]) {
      expect([type, ...(await post({ text: send(), headers: { 'content-type': type } }))]).toEqual([
        type,
        400,
        'bad_request',
      ]);
    }
    for (const type of ['application/json', 'application/json; charset=utf-8', 'Application/JSON']) {
      expect([type, ...(await post({ text: send(), headers: { 'content-type': type } }))]).toEqual([
        type,
        201,
        undefined,
      ]);
    }
    const bomb = new Uint8Array(gzipSync(Buffer.alloc(20_000_000)));
    expect(await post({ text: bomb.slice(0, 30_000), headers: { 'content-encoding': 'gzip' } })).toEqual([
      400,
      'bad_request',
    ]);
  });

  test('beyond the largest frame are too_large, whether their length is told or not', async () => {
    expect(await post({ text: JSON.stringify(textTo({ to: 'bob' }, 'x'.repeat(70_000))) })).toEqual([413, 'too_large']);
    const told = await raw(headOf('/messages', 'Content-Length: 1073741824'), '{');
    expect(told).toMatch(/^HTTP\/1\.1 413 /);
    expect(told).toContain('"code":"too_large"');
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
    const chunked = await raw(headOf('/messages', 'Transfer-Encoding: chunked'), chunk.repeat(8));
    expect(chunked).toMatch(/^HTTP\/1\.1 413 /);
    expect((await api('GET', '/devices')).status).toBe(200);
  });

  test('with two lengths, or a length and chunks, are refused by the parser', async () => {
    expect(await raw(headOf('/messages', 'Content-Length: 2\nContent-Length: 3'), '{}')).toMatch(/^HTTP\/1\.1 400 /);
    expect(await raw(headOf('/messages', 'Content-Length: 2\nTransfer-Encoding: chunked'), '0\r\n\r\n')).toMatch(
      /^HTTP\/1\.1 400 /,
    );
  });

  test('may come in chunks with trailers', async () => {
    const body = Buffer.from(send());
    const text = await raw(
      headOf('/messages', 'Transfer-Encoding: chunked\nTrailer: X'),
      `${body.length.toString(16)}\r\n${body.toString()}\r\n0\r\nX: Authorization\r\n\r\n`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 201 /);
  });

  test('that break off disturb nobody and are no failure of the server', async () => {
    const told = connect(address());
    told.end(headOf('/messages', 'Content-Length: 500').replaceAll('\n', '\r\n') + '{"clientId"');
    const chunked = connect(address());
    chunked.end(headOf('/messages', 'Transfer-Encoding: chunked').replaceAll('\n', '\r\n') + '100\r\n{"clientId"');
    for (const socket of [told, chunked]) {
      socket.resume();
      await once(socket, 'close');
    }
    expect((await api('GET', '/devices')).status).toBe(200);
    expect((await cluster.log('web')).filter(({ event }) => event === 'http_failed')).toEqual([]);
  });
});

describe('origins', () => {
  const preflight = (origin: string) => ({
    headers: {
      origin,
      'access-control-request-method': 'PATCH',
      'access-control-request-headers': 'authorization,content-type',
    },
  });

  test('an allowed one may call, and sees refusals too', async () => {
    for (const origin of [allowed, 'https://other.example.com']) {
      const { status, headers } = await apiOf(cluster, '')('OPTIONS', '/conversations/x', undefined, preflight(origin));
      expect(status).toBe(204);
      expect(headers.get('access-control-allow-origin')).toBe(origin);
      expect(headers.get('access-control-allow-methods')).toContain('PATCH');
      expect(headers.get('access-control-allow-headers')?.toLowerCase()).toContain('authorization');
      expect(headers.get('vary')).toContain('Origin');
    }
    for (const path of ['/devices', '/conversations/nothing', '/nothing']) {
      const { headers } = await api('GET', path, undefined, { headers: { origin: allowed } });
      expect(headers.get('access-control-allow-origin')).toBe(allowed);
      expect(headers.get('access-control-expose-headers')).toContain('Retry-After');
    }
    const refused = await apiOf(cluster, 'none')('GET', '/devices', undefined, { headers: { origin: allowed } });
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, allowed]);
  });

  test.each(['https://evil.example', 'null', `${allowed}.evil`, 'http://app.example.com', `${allowed}:8443`])(
    '%s is not let in',
    async (origin) => {
      const { headers } = await apiOf(cluster, '')('OPTIONS', '/devices', undefined, preflight(origin));
      expect(headers.get('access-control-allow-origin')).toBeNull();
      expect(
        (await api('GET', '/devices', undefined, { headers: { origin } })).headers.get('access-control-allow-origin'),
      ).toBeNull();
    },
  );
});

describe('limits', () => {
  test('a user sends bursts of twice its rate, a service token as it likes; the backlog has an end', async () => {
    const user = apiOf(cluster, cluster.token(cluster.user('bursting')));
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => user('POST', '/messages', textTo({ to: 'bob' }))),
    );
    const limited = replies.filter(({ status }) => status === 429);
    expect(replies.filter(({ status }) => status === 201).length).toBeGreaterThanOrEqual(6);
    expect(limited.length).toBeGreaterThanOrEqual(10);
    for (const reply of limited) expect(reply.body.error).toMatchObject({ code: 'rate_limited', retryable: true });

    // Nothing is settled here, so the stream fills up.
    const service = apiOf(cluster, cluster.token('shop', { scope: 'service' }));
    const codes = new Set<number>();
    for (let i = 0; i < 10 && !codes.has(503); i++) {
      const sends = Array.from({ length: 20 }, () =>
        service('POST', '/messages', textTo({ to: 'bob', sender: 'shop' })),
      );
      for (const reply of await Promise.all(sends)) {
        codes.add(reply.status);
        if (reply.status === 503) expect(reply.body.error).toMatchObject({ code: 'retry_later', retryable: true });
      }
    }
    expect([...codes].sort()).toEqual([201, 503]);
  });
});
