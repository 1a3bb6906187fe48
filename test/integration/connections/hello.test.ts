import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { type Device, openDevice } from '../../support/device.ts';
import { nowSeconds, signClaims } from '../../support/token.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ archive: false, env: { ALLOWED_ORIGINS: 'https://app.example.com' } });
});
afterAll(() => cluster.stop());

/** Connects, sends these frames at once, and hands back the device. */
async function opened(...frames: object[]): Promise<Device> {
  const device = await openDevice(cluster.url());
  for (const frame of frames) device.send(frame);
  return device;
}

describe('welcome', () => {
  test('tells who, where and with which limits', async () => {
    const user = cluster.user('alice');
    const exp = nowSeconds() + 100;
    const device = await opened({ type: 'hello', id: 'first', token: cluster.token(user, { exp }), device: 'phone-1' });

    expect(await device.find('welcome')).toEqual({
      type: 'welcome',
      re: 'first',
      user,
      device: 'phone-1',
      epoch: expect.stringMatching(/./),
      position: 0,
      head: 0,
      unread: { total: 0, conversations: [], more: false },
      features: expect.arrayContaining(['push', 'pull', 'lazy', 'history', 'read']),
      heartbeatMs: expect.any(Number),
      expiresAt: exp * 1000,
      now: expect.any(Number),
      limits: {
        maxBodyBytes: 16_384,
        maxFrameBytes: expect.any(Number),
        pageItems: 200,
        pageBytes: 524_288,
        sendPerSecond: 0,
        receiveWithinMs: expect.any(Number),
        recallWithinMs: 86_400_000,
        editWithinMs: 86_400_000,
        presenceUsers: 200,
        typingEveryMs: 3000,
        levels: expect.arrayContaining(['accepted', 'stored']),
      },
      settings: { receipts: true, presence: 'shared', version: 0 },
    });
    const { limits, heartbeatMs } = device.all('welcome')[0]!;
    expect(limits.receiveWithinMs).toBeGreaterThanOrEqual(5000);
    expect(limits.maxFrameBytes).toBeGreaterThan(limits.maxBodyBytes);
    expect(heartbeatMs).toBeGreaterThan(0);
    await device.close();
  });

  test('tells the clock of the server, and so does pong', async () => {
    const before = Date.now();
    const device = await opened({ type: 'hello', token: cluster.token(cluster.user('alice')), device: 'phone' });
    const { now: welcomed, features } = await device.find('welcome');
    const { now: answered } = await device.request({ type: 'ping' }, 'pong');
    expect(features).toContain('time');
    expect(welcomed).toBeGreaterThanOrEqual(before);
    expect(answered).toBeGreaterThanOrEqual(welcomed);
    expect(answered).toBeLessThanOrEqual(Date.now());
    await device.close();
  });

  test('unknown fields of hello are ignored', async () => {
    const device = await opened({
      type: 'hello',
      token: cluster.token(cluster.user('alice')),
      device: 'phone',
      newerField: { a: 1 },
    });
    await device.find('welcome');
    await device.close();
  });

  test('comes before the answers to what was pipelined with hello', async () => {
    const user = cluster.user('alice');
    const send = (clientId: string) => ({ type: 'send', clientId, to: user, kind: 'text', body: clientId });
    const device = await opened(
      { type: 'hello', token: cluster.token(user), device: 'phone' },
      send('one'),
      { type: 'ping', id: 'p' },
      send('two'),
    );
    await device.until('both answers', () => device.all('accepted').length === 2);

    const answers = device.frames.filter(({ type }) => type !== 'deliver');
    expect(answers.map(({ type }) => type)).toEqual(['welcome', 'accepted', 'pong', 'accepted']);
    expect(device.all('accepted').map(({ clientId, message }) => [clientId, message.seq])).toEqual([
      ['one', 1],
      ['two', 2],
    ]);
    await device.close();
  });

  test('a second hello is bad_request and changes nothing', async () => {
    const user = cluster.user('alice');
    const device = await opened({ type: 'hello', token: cluster.token(user), device: 'phone' });
    await device.find('welcome');
    const refused = await device.request(
      { type: 'hello', token: cluster.token(cluster.user('mallory')), device: 'phone' },
      'error',
    );
    expect(refused).toMatchObject({ code: 'bad_request', retryable: false });

    device.send({ type: 'send', clientId: 'a', to: 'bob', kind: 'text', body: 1 });
    await device.find('accepted');
    expect(device.all('welcome')).toHaveLength(1);
    await device.close();
  });
});

describe('a socket that does not say hello', () => {
  test('is closed with 4408 after 5 s', async () => {
    const began = Date.now();
    const device = await opened();
    expect(await device.closed).toMatchObject({ code: 4408 });
    expect(Date.now() - began).toBeGreaterThan(4500);
    expect(Date.now() - began).toBeLessThan(8000);
    expect(device.frames).toEqual([]);
  });

  test.each([
    { type: 'ping' },
    { type: 'send', clientId: 'a', to: 'bob', kind: 'text', body: 1 },
    { type: 'sync', after: 0 },
    { type: 'reauth', token: 'x' },
    { type: 'nonsense' },
    { type: 'hello', device: 'phone' },
    { type: 'hello', token: 'x' },
    { type: 'hello', token: 'x', device: 'not an id' },
    { type: 'hello', token: 'x', device: 'phone', position: -1 },
    { type: 'hello', token: 'x', device: 'phone', mode: 'other' },
    ...[0, 1.5, '20', 201].map((pageItems) => ({ type: 'hello', token: 'x', device: 'phone', pageItems })),
    ...['', 'a'.repeat(65), 'app/1\n', 'app\r\nx/1', 'app/ü'].map((client) => ({
      type: 'hello',
      token: 'x',
      device: 'phone',
      client,
    })),
    {},
    { type: ['hello'] },
  ])('%j first is closed with 4401', async (frame) => {
    const device = await opened(frame);
    expect(await device.closed).toMatchObject({ code: 4401 });
    expect(device.frames.every(({ type }) => type === 'error')).toBe(true);
  });

  test('what was sent before a refused hello, and after it, is never done', async () => {
    const user = cluster.user('alice');
    const send = { type: 'send', clientId: 'a', to: user, kind: 'text', body: 1 };
    const before = await opened(send, { type: 'hello', token: cluster.token(user), device: 'phone' });
    expect(await before.closed).toMatchObject({ code: 4401 });
    const after = await opened({ type: 'hello', token: 'wrong', device: 'phone' }, send, send, send);
    expect(await after.closed).toMatchObject({ code: 4401 });

    const honest = await cluster.connect(user);
    expect((await honest.request({ type: 'history', to: user }, 'history')).messages).toEqual([]);
    expect(after.all('accepted')).toEqual([]);
  });
});

describe('tokens', () => {
  const claims = (extra: object = {}) => ({ sub: 'alice', exp: nowSeconds() + 60, ...extra });
  const attacks: [string, () => string][] = [
    ['nothing like a token', () => 'abc'],
    ['alg none', () => signClaims(claims(), null, { alg: 'none', typ: 'JWT' })],
    ['alg None with a signature', () => signClaims(claims(), cluster.secret, { alg: 'None', typ: 'JWT' })],
    ['alg HS512 in the header', () => signClaims(claims(), cluster.secret, { alg: 'HS512', typ: 'JWT' })],
    [
      'alg RS256 in the header',
      () => signClaims(claims(), cluster.secret, { alg: 'RS256', typ: 'JWT', kid: '../../etc/passwd' }),
    ],
    ['another secret', () => signClaims(claims(), 'another secret of at least 32 bytes!')],
    ['no signature', () => signClaims(claims(), null)],
    [
      'a changed payload',
      () => {
        const [head, , signature] = signClaims(claims(), cluster.secret).split('.');
        return `${head}.${Buffer.from(JSON.stringify(claims({ sub: 'bob' }))).toString('base64url')}.${signature}`;
      },
    ],
    ['exp as text', () => signClaims(claims({ exp: String(nowSeconds() + 60) }), cluster.secret)],
    ['exp absent', () => signClaims({ sub: 'alice' }, cluster.secret)],
    ['exp null', () => signClaims(claims({ exp: null }), cluster.secret)],
    ['exp past', () => signClaims(claims({ exp: nowSeconds() - 1 }), cluster.secret)],
    ['exp negative', () => signClaims(claims({ exp: -1 }), cluster.secret)],
    ['nbf in the future', () => signClaims(claims({ nbf: nowSeconds() + 600 }), cluster.secret)],
    ['sub absent', () => signClaims({ exp: nowSeconds() + 60 }, cluster.secret)],
    ['sub a number', () => signClaims(claims({ sub: 7 }), cluster.secret)],
    ['sub empty', () => signClaims(claims({ sub: '' }), cluster.secret)],
    ['sub that is no id', () => signClaims(claims({ sub: 'a}b' }), cluster.secret)],
    ['sub too long', () => signClaims(claims({ sub: 'a'.repeat(65) }), cluster.secret)],
    ['dev that is no id', () => signClaims(claims({ dev: { $ne: null } }), cluster.secret)],
  ];

  test.each(attacks)('%s: unauthenticated, 4401', async (_, token) => {
    const device = await opened({ type: 'hello', id: 'h', token: token(), device: 'phone' });
    expect(await device.closed).toMatchObject({ code: 4401 });
    // One text for all of them: nothing is learned from it.
    expect(device.frames).toEqual([
      { type: 'error', re: 'h', code: 'unauthenticated', message: 'the token is not valid', retryable: false },
    ]);
  });

  test('exp 1e400 in the payload', async () => {
    const payload = Buffer.from(`{"sub":"alice","exp":1e400}`).toString('base64url');
    const [head] = signClaims({}, cluster.secret).split('.');
    const signature = createHmac('sha256', cluster.secret).update(`${head}.${payload}`).digest('base64url');
    const device = await opened({ type: 'hello', token: `${head}.${payload}.${signature}`, device: 'phone' });
    expect(await device.closed).toMatchObject({ code: 4401 });
  });

  test('bound to a device: that one is welcome, another is closed with 4403', async () => {
    const user = cluster.user('alice');
    const token = cluster.token(user, { dev: 'phone' });
    const right = await opened({ type: 'hello', token, device: 'phone' });
    expect((await right.find('welcome')).device).toBe('phone');

    const wrong = await opened({ type: 'hello', id: 'h', token, device: 'tablet' });
    expect(await wrong.closed).toMatchObject({ code: 4403 });
    expect(wrong.frames).toMatchObject([{ type: 'error', re: 'h', code: 'forbidden' }]);
    await right.close();
  });
});

describe('the upgrade', () => {
  test('a subprotocol may be left out, and is named when it is offered among others', async () => {
    const without = await openDevice(cluster.url(), { protocols: [] });
    expect(without.socket.protocol).toBe('');
    const among = await openDevice(cluster.url(), { protocols: ['chat', 'restante.v1'] });
    expect(among.socket.protocol).toBe('restante.v1');
    without.socket.terminate();
    among.socket.terminate();
  });

  test('only other subprotocols are refused', async () => {
    await expect(openDevice(cluster.url(), { protocols: ['restante.v2', 'chat'] })).rejects.toThrow('refused with 400');
  });

  const host = () => new URL(cluster.url()).host;
  test.each(['https://app.example.com', 'http://HOST', 'https://HOST'])('origin %s may connect', async (origin) => {
    (await openDevice(cluster.url(), { origin: origin.replace('HOST', host()) })).socket.terminate();
  });

  test.each([
    'https://evil.example',
    'null',
    'https://app.example.com.evil',
    'http://app.example.com',
    'https://app.example.com:8443',
    'http://HOST.evil',
    'http://evil.example/HOST',
  ])('origin %s is refused', async (origin) => {
    await expect(openDevice(cluster.url(), { origin: origin.replace('HOST', host()) })).rejects.toThrow(
      'refused with 403',
    );
  });

  test('a forged forwarded host does not make an origin the same one', async () => {
    const options = { origin: 'https://evil.example', headers: { 'x-forwarded-host': 'evil.example' } };
    await expect(openDevice(cluster.url(), options)).rejects.toThrow('refused with 403');
  });

  test.each(['/v1/other', '/', '/v1/ws/more', '//v1/ws', '/metrics'])('%s is no socket', async (path) => {
    const { origin } = new URL(cluster.url().replace('ws:', 'http:'));
    await expect(openDevice(`${origin.replace('http:', 'ws:')}${path}`)).rejects.toThrow(/refused with 4\d\d/);
  });
});
