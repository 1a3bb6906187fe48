import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Cluster, startCluster } from '../../../tools/harness/local-cluster.ts';
import { type Api, apiOf, refusal, textTo } from '../../support/http-client.ts';

/** A Redis of its own, that the tests take away. */
let cluster: Cluster;
let api: Api;
/** A back end's token is good without asking Redis whether it was revoked. */
let service: Api;
beforeAll(async () => {
  cluster = await startCluster({ fanout: 0, archive: 0, jobs: 0 });
  api = apiOf({ url: () => `${cluster.url}/v1/ws` }, await cluster.token('alice'));
  service = apiOf({ url: () => `${cluster.url}/v1/ws` }, await cluster.token('backend', { service: true }));
});
afterAll(() => cluster.stop());

const everything = (id: string): (() => ReturnType<Api>)[] => [
  () => api('POST', '/messages', textTo({ to: 'bob' })),
  () => api('POST', '/conversations', { id, members: [] }),
  () => api('GET', '/conversations'),
  () => api('GET', `/conversations/${id}`),
  () => api('PATCH', `/conversations/${id}`, { name: 'x' }),
  () => api('GET', `/conversations/${id}/messages`),
  () => api('POST', `/conversations/${id}/messages/1/amend`, { action: 'recall' }),
  () => api('GET', `/conversations/${id}/messages/1`),
  () => api('GET', `/conversations/${id}/members`),
  () => api('PUT', `/conversations/${id}/members/bob`),
  () => api('DELETE', `/conversations/${id}/members/bob`),
  () => api('PUT', `/conversations/${id}/read`, { seq: 0 }),
  () => api('GET', '/inbox'),
  () => api('GET', '/inbox?after=1000'),
  () => api('POST', '/inbox/received', { device: 'phone', position: 0 }),
  () => api('POST', '/inbox/received', { device: 'phone', position: 0, epoch: 'x' }),
  () => api('GET', '/devices'),
  () => api('DELETE', '/devices/phone'),
];

describe('without Redis', () => {
  test('every route says to come back later, and works again when Redis does', async () => {
    expect((await api('POST', '/conversations', { id: 'tea', members: [] })).status).toBe(201);
    await cluster.kill('redis');
    // The first send may have been on its way when the connection broke.
    await api('POST', '/messages', textTo({ to: 'bob' }));
    for (const ask of everything('tea')) expect(refusal(await ask())).toEqual([503, 'retry_later']);
    expect(refusal(await service('GET', '/nothing'))).toEqual([404, 'not_found']);

    await cluster.start('redis');
    // Messages are taken again last, once this run of Redis is known to have lost nothing.
    await vi.waitFor(
      async () => expect((await api('POST', '/messages', textTo({ to: 'bob' }))).status).toBe(201),
      10_000,
    );
    for (const ask of everything('tea')) expect((await ask()).status).toBeLessThan(500);
  });

  test('a send that Redis does not answer has an unknown outcome, and its repetition one effect', async () => {
    const send = { ...textTo({ to: 'carol' }), sender: 'alice' };
    cluster.pause('redis');
    const [unknown, later] = await Promise.all([service('POST', '/messages', send), api('GET', '/inbox')]);
    cluster.resume('redis');
    expect(refusal(unknown)).toEqual([504, 'unknown_outcome']);
    expect(refusal(later)).toEqual([503, 'retry_later']);

    let again = await api('POST', '/messages', send);
    for (let tries = 0; again.status >= 500 && tries < 50; tries++) {
      // As a client waits: nothing tells it when Redis answers again.
      await pause(100);
      again = await api('POST', '/messages', send);
    }
    expect([200, 201]).toContain(again.status);
    expect(again.body['message']).toMatchObject({ seq: 1 });
    expect((await api('POST', '/messages', send)).body).toEqual({ ...again.body, duplicate: true });
  });

  test('an amend that Redis does not answer has an unknown outcome, and its repetition one effect', async () => {
    const sent = await api('POST', '/messages', textTo({ to: 'dora' }));
    const { conversation, seq } = sent.body['message'] as { conversation: string; seq: number };
    const path = `/conversations/${conversation}/messages/${seq}/amend`;
    cluster.pause('redis');
    const unknown = await service('POST', path, { action: 'edit', body: 'new', sender: 'alice' });
    cluster.resume('redis');
    expect(refusal(unknown)).toEqual([504, 'unknown_outcome']);
    const again = await vi.waitFor(
      async () => {
        const reply = await api('POST', path, { action: 'edit', body: 'new' });
        expect(reply.status).toBe(200);
        return reply;
      },
      { timeout: 10_000, interval: 100 },
    );
    expect(again.body).toMatchObject({ version: 1, amendSeq: seq + 1 });
    expect((await api('POST', path, { action: 'edit', body: 'new' })).body).toMatchObject({
      version: 1,
      duplicate: true,
    });
  });
});
