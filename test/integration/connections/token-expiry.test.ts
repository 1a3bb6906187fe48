import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { openDevice } from '../../support/device.ts';
import { nowSeconds } from '../../support/token.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ fanout: false, archive: false });
});
afterAll(() => cluster.stop());

/** A connection whose token ends in 2 s. */
async function shortLived(user: string) {
  const exp = nowSeconds() + 2;
  const device = await openDevice(cluster.url());
  device.send({ type: 'hello', token: cluster.token(user, { exp }), device: 'phone' });
  expect((await device.find('welcome')).expiresAt).toBe(exp * 1000);
  return { device, exp };
}

test('a socket outlives its token by at most 30 s; a reauth in time keeps it', { timeout: 40_000 }, async () => {
  const [one, other, failing] = [cluster.user('alice'), cluster.user('bob'), cluster.user('carol')];
  const [ending, renewed, refused] = await Promise.all([shortLived(one), shortLived(other), shortLived(failing)]);
  const later = nowSeconds() + 3600;
  expect(
    await renewed.device.request({ type: 'reauth', token: cluster.token(other, { exp: later }) }, 'ok'),
  ).toMatchObject({
    expiresAt: later * 1000,
  });
  expect(await refused.device.request({ type: 'reauth', token: 'not a token' }, 'error')).toMatchObject({
    code: 'unauthenticated',
  });

  expect(await ending.device.closed).toMatchObject({ code: 4401 });
  expect(Date.now()).toBeGreaterThanOrEqual(ending.exp * 1000);
  expect(Date.now()).toBeLessThanOrEqual((ending.exp + 30) * 1000);
  expect(await refused.device.closed).toMatchObject({ code: 4401 });
  await renewed.device.settle();
  await renewed.device.close();
});

test('a reauth for somebody else, or for another device, is forbidden and changes nobody', async () => {
  const user = cluster.user('alice');
  const device = await cluster.connect(user);
  const { expiresAt } = device.welcome;
  const exp = nowSeconds() + 7200;
  for (const token of [cluster.token('mallory', { exp }), cluster.token(user, { exp, dev: 'tablet' })]) {
    expect(await device.request({ type: 'reauth', token }, 'error')).toMatchObject({
      code: 'forbidden',
      retryable: false,
    });
  }
  const { message } = await device.request(
    { type: 'send', clientId: 'a', to: 'bob', kind: 'text', body: 1 },
    'accepted',
  );
  const { messages } = await device.request({ type: 'history', conversation: message.conversation }, 'history');
  expect(messages).toMatchObject([{ sender: user }]);
  expect(
    await device.request({ type: 'reauth', token: cluster.token(user, { exp: expiresAt / 1000, dev: 'phone' }) }, 'ok'),
  ).toMatchObject({ expiresAt });
});

test('a token that has expired is refused in a reauth', async () => {
  const user = cluster.user('alice');
  const device = await cluster.connect(user);
  expect(
    await device.request({ type: 'reauth', token: cluster.token(user, { exp: nowSeconds() - 5 }) }, 'error'),
  ).toMatchObject({
    code: 'unauthenticated',
  });
  await device.settle();
});
