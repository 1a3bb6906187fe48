import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { type Api, apiOf, refusal, textTo } from '../../support/http-client.ts';

let cluster: Cluster;
let service: Api;
beforeAll(async () => {
  cluster = await startCluster({ archive: false, env: { MAX_GROUP_MEMBERS_BY_USER: '' } });
  service = apiOf(cluster, cluster.token('shop', { scope: 'service' }));
});
afterAll(() => cluster.stop());

type Begun = {
  answer: Promise<{ status: number; body: string } | 'cut'>;
  write(text: string): void;
  end(): void;
  destroy(): void;
};

/** A request whose body is written by hand. Without a length it comes in pieces. */
function begin(token: string, path: string, length: number | null): Begun {
  const url = new URL(cluster.url().replace(/^ws/, 'http'));
  const asked = request({
    host: url.hostname,
    port: url.port,
    path: `/v1${path}`,
    method: 'POST',
    agent: false,
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      ...(length === null ? {} : { 'content-length': length }),
    },
  });
  const answer = new Promise<{ status: number; body: string } | 'cut'>((resolve) => {
    asked.once('error', () => resolve('cut'));
    asked.once('response', (response) => {
      let body = '';
      response.on('data', (part: Buffer) => (body += part.toString()));
      response.once('end', () => resolve({ status: response.statusCode!, body }));
      response.once('error', () => resolve('cut'));
    });
  });
  asked.flushHeaders();
  return {
    answer,
    write: (text) => void asked.write(text),
    end: () => void asked.end(),
    destroy: () => void asked.destroy(),
  };
}

const metric = async (name: string): Promise<number> =>
  Number(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, 'm').exec(await cluster.metrics('web-1'))?.[1]);
function padded(bytes: number): string {
  const json = JSON.stringify({ members: [] });
  return json + ' '.repeat(bytes - json.length);
}

test('a user sends at most 64 KiB, a back end as much as a full group needs', async () => {
  const api = apiOf(cluster, cluster.token(cluster.user('alice')));
  const most = 65_536;
  expect((await api('POST', '/conversations', undefined, { text: padded(most) })).status).toBe(201);
  for (const path of ['/conversations', '/messages', '/inbox/received']) {
    expect(refusal(await api('POST', path, undefined, { text: padded(most + 1) }))).toEqual([413, 'too_large']);
  }
  const pieces = begin(cluster.token('bob'), '/conversations', null);
  for (let i = 0; i < 5; i++) pieces.write(' '.repeat(16_000));
  expect(await pieces.answer).toMatchObject({ status: 413 });
  const members = Array.from({ length: 100_000 }, (_, i) => `user-${i}`);
  expect((await service('POST', '/conversations', { members })).status).toBe(201);
  await vi.waitFor(async () => expect(await metric('restante_body_bytes')).toBe(0), 15_000);
});

test('a body in pieces is read, also in one, and none is no JSON', async () => {
  for (const pieces of [['{"members":[]}'], ['{"mem', 'bers"', ':[]}'], []]) {
    const asked = begin(cluster.token('carol'), '/conversations', null);
    for (const piece of pieces) asked.write(piece);
    asked.end();
    expect(await asked.answer).toMatchObject({ status: pieces.length > 0 ? 201 : 400 });
  }
});

test('a request without the right is refused before any of its body is read', async () => {
  const asked = begin('no-token', '/conversations', 60_000);
  expect(await asked.answer).toMatchObject({ status: 401 });
});

test('unfinished bodies of a user hold at most 1 MiB; others are served, and all is given back', async () => {
  const web = (await cluster.log('web-1')).find(({ event }) => event === 'started')!['pid'] as number;
  const memory = async (): Promise<number> =>
    Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${web}/status`, 'utf8'))![1]) / 1024;
  const before = await memory();
  const token = cluster.token('mallory');
  const all = Array.from({ length: 120 }, () => begin(token, '/conversations', 65_536));
  for (const one of all) one.write(' '.repeat(65_000));
  await vi.waitFor(async () => expect(await metric('restante_body_bytes')).toBe(16 * 65_536), 10_000);
  const refused: unknown[] = [];
  for (const { answer } of all) void answer.then((found) => refused.push(found === 'cut' ? found : found.status));
  await vi.waitFor(() => expect(refused).toHaveLength(104), 10_000);
  for (const status of refused) expect([429, 'cut']).toContain(status);

  const innocent = apiOf(cluster, cluster.token('alice'));
  for (let i = 0; i < 20; i++) expect((await innocent('POST', '/messages', textTo({ to: 'bob' }))).status).toBe(201);
  expect((await memory()) - before).toBeLessThan(64);

  await vi.waitFor(() => expect(refused).toHaveLength(120), 25_000);
  expect(refused.filter((status) => status === 400)).toHaveLength(16);
  await vi.waitFor(async () => expect(await metric('restante_body_bytes')).toBe(0), 15_000);
  expect((await apiOf(cluster, token)('POST', '/conversations', { members: [] })).status).toBe(201);
}, 60_000);

test('a body that breaks off gives back what it held', async () => {
  const asked = begin(cluster.token('dora'), '/messages', 60_000);
  asked.write('{');
  await vi.waitFor(async () => expect(await metric('restante_body_bytes')).toBe(60_000), 15_000);
  asked.destroy();
  await vi.waitFor(async () => expect(await metric('restante_body_bytes')).toBe(0), 15_000);
});
