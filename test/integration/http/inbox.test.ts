import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { directConversation } from '../../../shared/model/ids.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import type { Item } from '../../support/frames.ts';
import { type Api, apiOf, refusal, type Reply, textTo } from '../../support/http-client.ts';

let cluster: Cluster;
let service: Api;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2 });
  service = apiOf(cluster, cluster.token('shop', { scope: 'service' }));
});
afterAll(() => cluster.stop());

type Person = { user: string; api: Api };
function person(name: string, claims = {}): Person {
  const user = cluster.user(name);
  return { user, api: apiOf(cluster, cluster.token(user, claims)) };
}

const itemsOf = ({ body }: Reply): [number, unknown][] =>
  (body['items'] as Item[]).map(({ position, message }) => [position, message.body]);

/** Somebody whose inbox holds the messages 1 to `count`. */
async function readerOf(count: number): Promise<Person> {
  const [writer, reader] = [person('writer'), person('reader')];
  for (let i = 1; i <= count; i++)
    expect((await writer.api('POST', '/messages', textTo({ to: reader.user }, i))).status).toBe(201);
  await vi.waitFor(async () => expect((await reader.api('GET', '/inbox')).body['items']).toHaveLength(count), 15_000);
  return reader;
}

describe('GET /inbox', () => {
  test('is empty for a user without messages', async () => {
    const { api } = person('alice');
    const page = await api('GET', '/inbox');
    expect(page.status).toBe(200);
    expect(page.body).toEqual({ items: [], gaps: [], next: 0, more: false, epoch: expect.stringMatching(/./) });
    expect((await api('GET', '/inbox?after=7')).body).toMatchObject({ items: [], next: 7, more: false });
  });

  test('gives pages, and moves nothing', async () => {
    const { api, user } = await readerOf(5);
    expect(itemsOf(await api('GET', '/inbox'))).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 4],
      [5, 5],
    ]);
    const first = await api('GET', '/inbox?limit=2');
    expect([itemsOf(first), first.body['next'], first.body['more']]).toEqual([
      [
        [1, 1],
        [2, 2],
      ],
      2,
      true,
    ]);
    const rest = await api('GET', '/inbox?after=2&limit=3');
    expect([itemsOf(rest), rest.body['next'], rest.body['more']]).toEqual([
      [
        [3, 3],
        [4, 4],
        [5, 5],
      ],
      5,
      false,
    ]);
    // At the head and above it there is nothing, which is no error of a reader that only looks.
    for (const after of [5, 6, 1_000_000]) {
      expect((await api('GET', `/inbox?after=${after}`)).body).toMatchObject({
        items: [],
        gaps: [],
        next: after,
        more: false,
      });
    }
    expect(itemsOf(await service('GET', `/inbox?user=${user}&after=4`))).toEqual([[5, 5]]);
    expect(refusal(await service('GET', '/inbox'))).toEqual([400, 'bad_request']);
    expect(refusal(await api('GET', '/inbox?user=somebody'))).toEqual([403, 'forbidden']);
    expect((await api('GET', '/devices')).body).toEqual({ devices: [] });
  });

  test('begins where the named device is, an unknown one at 0', async () => {
    const { api } = await readerOf(3);
    await api('POST', '/inbox/received', { device: 'phone', position: 2 });
    expect(itemsOf(await api('GET', '/inbox?device=phone'))).toEqual([[3, 3]]);
    expect(itemsOf(await api('GET', '/inbox?device=phone&after=1'))).toEqual([
      [2, 2],
      [3, 3],
    ]);
    expect(itemsOf(await api('GET', '/inbox?device=tablet'))).toHaveLength(3);
    expect((await api('GET', '/devices')).body['devices']).toMatchObject([{ device: 'phone', position: 2 }]);
  });

  test('asks to begin again when the epoch is another', async () => {
    const { api } = await readerOf(1);
    const { epoch } = (await api('GET', '/inbox')).body;
    expect((await api('GET', `/inbox?after=1&epoch=${String(epoch)}`)).status).toBe(200);
    for (const path of ['/inbox?epoch=other', '/inbox?after=9&epoch=other', '/inbox?device=phone&epoch=other']) {
      expect(refusal(await api('GET', path))).toEqual([409, 'resync_required']);
    }
  });

  test('names as a gap what the inbox no longer holds', async () => {
    const own = await startCluster({ env: { INBOX_MAX_ENTRIES: '100', SEND_RATE_PER_USER: '0' } });
    try {
      const api = apiOf(own, own.token('alice'));
      const conversation = directConversation('alice', 'alice');
      const sends = Array.from({ length: 110 }, (_, i) => api('POST', '/messages', textTo({ to: 'alice' }, i)));
      for (const { status } of await Promise.all(sends)) expect(status).toBe(201);
      await vi.waitFor(
        async () => expect((await api('GET', '/inbox?after=109')).body['items']).toHaveLength(1),
        15_000,
      );
      const { body } = await api('GET', '/inbox');
      const [gap] = body['gaps'] as { position: number; fromSeq: number; toSeq: number }[];
      expect(body['gaps']).toHaveLength(1);
      expect(gap).toMatchObject({ conversation, fromSeq: 1 });
      expect(gap!.toSeq).toBeGreaterThanOrEqual(8);
      expect((body['items'] as Item[])[0]!.message.seq).toBe(gap!.toSeq + 1);
      expect(body['items']).toHaveLength(110 - gap!.toSeq);
    } finally {
      await own.stop();
    }
  });
});

describe('POST /inbox/received', () => {
  test('moves a device forward, never back, and never above the head', async () => {
    const { api, user } = await readerOf(3);
    const received = async (fields: object) => {
      const reply = await api('POST', '/inbox/received', { device: 'phone', ...fields });
      return reply.status === 200 ? reply.body : refusal(reply);
    };
    expect(await received({ position: 2 })).toEqual({ device: 'phone', position: 2 });
    expect(await received({ position: 1 })).toEqual({ device: 'phone', position: 2 });
    expect(await received({ position: 0 })).toEqual({ device: 'phone', position: 2 });
    expect(await received({ position: 4 })).toEqual([400, 'bad_request']);
    for (const position of [-1, 1.5, '3', null, undefined, 9_007_199_254_740_992])
      expect(await received({ position })).toEqual([400, 'bad_request']);
    for (const device of ['', 'a b', 'x'.repeat(65), 5, null, undefined]) {
      expect(await received({ device, position: 1 })).toEqual([400, 'bad_request']);
    }
    const { welcome, ...phone } = await cluster.connect(user, { device: 'phone' });
    expect(welcome).toMatchObject({ position: 2, head: 3 });
    expect(phone.socket.readyState).toBe(1);

    expect(await received({ position: 3, epoch: welcome.epoch })).toEqual({ device: 'phone', position: 3 });
    expect(await received({ position: 3, epoch: 'other' })).toEqual([409, 'resync_required']);
    expect(await received({ position: 3, epoch: '' })).toEqual([400, 'bad_request']);
    expect((await service('POST', `/inbox/received?user=${user}`, { device: 'tablet', position: 1 })).body).toEqual({
      device: 'tablet',
      position: 1,
    });
    expect(refusal(await service('POST', '/inbox/received', { device: 'tablet', position: 1 }))).toEqual([
      400,
      'bad_request',
    ]);
  });

  test('a token that is bound to a device speaks for that one only', async () => {
    const reader = await readerOf(2);
    const bound = apiOf(cluster, cluster.token(reader.user, { dev: 'phone' }));
    expect((await bound('POST', '/inbox/received', { device: 'phone', position: 1 })).status).toBe(200);
    expect(refusal(await bound('POST', '/inbox/received', { device: 'tablet', position: 1 }))).toEqual([
      403,
      'forbidden',
    ]);
    expect(itemsOf(await bound('GET', '/inbox?device=phone'))).toEqual([[2, 2]]);
    expect(refusal(await bound('GET', '/inbox?device=tablet'))).toEqual([403, 'forbidden']);
    expect(itemsOf(await bound('GET', '/inbox'))).toHaveLength(2);
    expect((await bound('POST', '/messages', textTo({ to: reader.user }))).status).toBe(201);
  });

  test('the longest unseen of 20 devices is forgotten for one more', async () => {
    const { api } = person('alice');
    for (let i = 1; i <= 21; i++) await api('POST', '/inbox/received', { device: `d${i}`, position: 0 });
    const devices = ((await api('GET', '/devices')).body['devices'] as { device: string }[]).map(
      ({ device }) => device,
    );
    expect(devices).toHaveLength(20);
    expect(devices).toContain('d21');
  });
});

describe('devices', () => {
  test('are listed with their position, and whether they are online', async () => {
    const { user, api } = await readerOf(1);
    const [phone, tablet] = await Promise.all([
      cluster.connect(user, { device: 'phone' }),
      cluster.connect(user, { device: 'tablet', gateway: 2 }),
    ]);
    await phone.find('deliver');
    phone.received(1);
    const listed = async (by = api, query = '') =>
      (await by('GET', `/devices${query}`)).body['devices'] as { device: string }[];
    const expected = (position: number, online: boolean) => ({ position, online, lastSeen: expect.any(Number) });
    await vi.waitFor(async () => {
      const devices = await listed();
      expect(devices).toHaveLength(2);
      expect(devices).toContainEqual({ device: 'phone', ...expected(1, true) });
      expect(devices).toContainEqual({ device: 'tablet', ...expected(0, true) });
    }, 15_000);
    expect(await listed(service, `?user=${user}`)).toHaveLength(2);
    expect(refusal(await service('GET', '/devices'))).toEqual([400, 'bad_request']);
    expect(refusal(await api('GET', '/devices?user=somebody'))).toEqual([403, 'forbidden']);

    await tablet.close();
    await vi.waitFor(
      async () => expect(await listed()).toContainEqual({ device: 'tablet', ...expected(0, false) }),
      15_000,
    );
    expect(await listed()).toContainEqual({ device: 'phone', ...expected(1, true) });
    await phone.close();
  });

  test('of a gateway that is gone are offline once its lease has run out', async () => {
    const { user, api } = person('alice');
    await cluster.start('web-2');
    const phone = await cluster.connect(user, { device: 'phone', gateway: 2 });
    const online = async () =>
      ((await api('GET', '/devices')).body['devices'] as { online: boolean }[]).map((one) => one.online);
    expect(await online()).toEqual([true]);
    await cluster.end('web-2', 'SIGKILL');
    await phone.closed;

    // Its route stands until the lease ends; the test ends it in place of waiting.
    const slot = cluster.keys.shardSlot(cluster.keys.shardOf(user));
    const gateway = (await cluster.redis.hget(cluster.keys.user(user), 'routes'))!.split(' ')[0]!;
    await cluster.redis.hset(slot, `gateway:${gateway}`, Date.now() - 1);
    expect(await online()).toEqual([false]);
    await cluster.start('web-2');
  });

  test('are forgotten with their position, and their connection is closed, wherever it is', async () => {
    const { user, api } = await readerOf(2);
    const [phone, tablet] = await Promise.all([
      cluster.connect(user, { device: 'phone' }),
      cluster.connect(user, { device: 'tablet', gateway: 2 }),
    ]);
    await api('POST', '/inbox/received', { device: 'tablet', position: 2 });
    await api('POST', '/inbox/received', { device: 'laptop', position: 1 });
    for (const device of ['phone', 'tablet', 'laptop'])
      expect((await api('DELETE', `/devices/${device}`)).status).toBe(204);
    expect((await phone.closed).code).toBe(4403);
    expect((await tablet.closed).code).toBe(4403);
    expect((await api('GET', '/devices')).body).toEqual({ devices: [] });
    for (const device of ['phone', 'never-seen'])
      expect(refusal(await api('DELETE', `/devices/${device}`))).toEqual([404, 'not_found']);
    expect(refusal(await api('DELETE', '/devices/a%20b'))).toEqual([400, 'bad_request']);

    const again = await cluster.connect(user, { device: 'tablet' });
    expect(again.welcome).toMatchObject({ position: 0, head: 2 });
    expect(refusal(await service('DELETE', '/devices/tablet'))).toEqual([400, 'bad_request']);
    expect(refusal(await api('DELETE', '/devices/tablet?user=somebody'))).toEqual([403, 'forbidden']);
    expect((await service('DELETE', `/devices/tablet?user=${user}`)).status).toBe(204);
    expect((await again.closed).code).toBe(4403);
  });
});
