import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { openDevice } from '../../support/device.ts';
import { type Issuer, startIssuer } from '../../support/issuer.ts';

let cluster: Cluster;
let issuer: Issuer;
beforeAll(async () => {
  issuer = await startIssuer();
  cluster = await startCluster({
    fanout: false,
    archive: false,
    env: {
      AUTH_JWKS_URL: issuer.url,
      AUTH_AUDIENCE: 'chat',
      AUTH_ISSUER: 'https://id.example',
      AUTH_SERVICE_SCOPE: 'chat:service',
    },
  });
});
afterAll(() => Promise.all([cluster?.stop(), issuer?.stop()]));

const sign = (claims: object, options?: { kid: string }) =>
  issuer.sign({ aud: 'chat', iss: 'https://id.example', ...claims }, options);

/** What a hello with this token is answered with, and how the socket ends. */
async function hello(token: string) {
  const device = await openDevice(cluster.url());
  device.send({ type: 'hello', token, device: 'phone' });
  const answer = await Promise.race([device.find('welcome'), device.find('error')]);
  if (answer.type === 'welcome') device.socket.terminate();
  return { answer, closed: await device.closed };
}

test('before the first keys a token gets retry_later, and its socket is not told to get another', async () => {
  issuer.answer = (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>');
  const token = await sign({ sub: 'alice' });
  const refused = await cluster.http(token, 'GET', '/devices');
  expect(refused).toMatchObject({ status: 503, body: { error: { code: 'retry_later', retryable: true } } });
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await hello(token)).toMatchObject({
    answer: { type: 'error', code: 'retry_later', retryable: true },
    closed: { code: 1012 },
  });
  const failed = (await cluster.log('web')).filter(({ event }) => event === 'key_server_failed');
  expect(failed.length).toBeGreaterThan(0);
  expect(await cluster.metrics('web-1')).toMatch(/restante_key_fetches_total\{result="failed",role="web"\} [1-9]/);

  issuer.answer = null;
  await expect
    .poll(async () => (await cluster.http(token, 'GET', '/devices')).status, { timeout: 20_000, interval: 250 })
    .toBe(200);
  expect(await hello(token)).toMatchObject({ answer: { type: 'welcome', user: 'alice' } });
});

test('while the key server hangs, known keys serve hello, HTTP and reauth; an unknown key is retry_later', async () => {
  const token = await sign({ sub: 'alice' });
  const device = await openDevice(cluster.url());
  device.send({ type: 'hello', token, device: 'desk' });
  await device.find('welcome');
  issuer.answer = () => undefined;
  expect(await hello(token)).toMatchObject({ answer: { type: 'welcome' } });
  expect((await cluster.http(token, 'GET', '/devices')).status).toBe(200);
  expect(await device.request({ type: 'reauth', token: await sign({ sub: 'alice' }) }, 'ok')).toMatchObject({
    expiresAt: expect.any(Number),
  });
  expect(
    await device.request({ type: 'reauth', token: await sign({ sub: 'alice' }, { kid: 'new' }) }, 'error'),
  ).toMatchObject({ code: 'retry_later' });
  expect(device.socket.readyState).toBe(1);
  device.socket.terminate();
  issuer.answer = null;
});

test.each([
  ['of another application', { aud: 'billing' }],
  ['for nobody', { aud: undefined }],
  ['of another issuer', { iss: 'https://elsewhere.example' }],
])('a token %s is refused', async (_, claims) => {
  const token = await sign({ sub: 'alice', ...claims });
  expect(await cluster.http(token, 'GET', '/devices')).toMatchObject({
    status: 401,
    body: { error: { code: 'unauthenticated' } },
  });
  expect(await hello(token)).toMatchObject({ answer: { code: 'unauthenticated' }, closed: { code: 4401 } });
});

test('only the scope that is set makes a back end', async () => {
  const disconnect = (token: string) => cluster.http(token, 'POST', '/users/nobody/disconnect');
  expect(await disconnect(await sign({ sub: 'backend', scope: 'openid service' }))).toMatchObject({ status: 403 });
  expect(await disconnect(await sign({ sub: 'backend', scope: 'openid chat:service' }))).toMatchObject({ status: 204 });
});
