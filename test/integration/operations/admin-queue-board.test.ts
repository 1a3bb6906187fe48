import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createQueueBoard } from '../../../gateway/admin/queue-board.ts';
import { type JobQueue, openQueue, queueNames } from '../../../shared/jobs/queues.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';

/** The dashboard of the queues as an operator's browser asks it. No jobs process runs: a job stays where it is put. */

const basic = { authorization: `Basic ${Buffer.from('operator:the-token-of-the-desk').toString('base64')}` };
const sameOrigin = { ...basic, 'sec-fetch-site': 'same-origin' };

type Board = { cluster: Cluster; queue: JobQueue; base: string; stop(): Promise<void> };

async function startBoard(env: Record<string, string>): Promise<Board> {
  const cluster = await startCluster({
    fanout: false,
    archive: false,
    env: { ADMIN_TOKEN: 'the-token-of-the-desk', ...env },
  });
  const connection = cluster.redis.duplicate({ maxRetriesPerRequest: null });
  const queue = openQueue('dead-letter', connection, cluster.keys);
  await queue.add('replay', { id: 'letter-1' }, { jobId: 'kept' });
  return {
    cluster,
    queue,
    base: cluster.url().replace(/^ws/, 'http').replace('/v1/ws', ''),
    async stop() {
      await queue.close();
      connection.disconnect();
      await cluster.stop();
    },
  };
}

const ask = ({ base }: Board, path: string, headers: Record<string, string>, method = 'PUT') =>
  fetch(`${base}/admin/queues${path}`, { method, headers });
const put = async (...asked: Parameters<typeof ask>) => (await ask(...asked)).status;

describe('without ADMIN_WRITE', () => {
  let board: Board;
  beforeAll(async () => {
    board = await startBoard({});
  });
  afterAll(() => board.stop());

  test.each(['/admin/queues', '/admin/queues/', '/admin/queues/queue/dead-letter'])(
    '%s is the page, with all it loads from here',
    async (path) => {
      expect((await fetch(board.base + path)).status).toBe(401);
      const response = await fetch(board.base + path, { headers: basic });
      expect(response.status).toBe(200);
      expect(response.headers.get('content-security-policy')).toContain("default-src 'self'");
      const page = await response.text();
      const root = new URL(/<base href="([^"]+)"/.exec(page)![1]!, board.base);
      const loaded = [...page.matchAll(/<(?:link|script)[^>]* (?:href|src)="([^"]+)"/g)].map(
        ([, url]) => new URL(url!, root),
      );
      expect(loaded.length).toBeGreaterThan(2);
      for (const url of loaded) {
        expect(url.origin).toBe(board.base);
        expect((await fetch(url, { headers: basic })).status).toBe(200);
        expect((await fetch(url)).status).toBe(401);
      }
    },
  );

  test('every queue is shown', async () => {
    const { queues } = (await (await fetch(`${board.base}/admin/queues/api/queues`, { headers: basic })).json()) as {
      queues: { name: string; readOnlyMode: boolean }[];
    };
    expect(queues.map(({ name }) => name).sort()).toEqual([...queueNames]);
    expect(queues.every(({ readOnlyMode }) => readOnlyMode)).toBe(true);
  });

  test('nothing that the dashboard can ask for changes a queue', async () => {
    const { redis, prefix } = board.cluster;
    const stored = async () => {
      const keys = (await redis.keys(`${prefix}:{dead-letter}:*`)).sort();
      return Promise.all(keys.map(async (key) => [key, (await redis.dumpBuffer(key))?.toString('base64')]));
    };
    const before = await stored();
    const changing = createQueueBoard([board.queue], false).routes.filter(
      ({ method }) => method !== 'GET' && method !== 'ALL',
    );
    expect(changing.length).toBeGreaterThan(15);
    for (const { method, path } of changing) {
      const asked = path
        .replace(':queueName', 'dead-letter')
        .replace(':jobId', 'kept')
        .replace(':queueStatus', 'waiting')
        .replace(':schedulerId', 'canary');
      const response = await ask(board, asked, sameOrigin, method);
      expect({ asked, status: response.status, text: await response.text() }).toEqual({
        asked,
        status: 403,
        text: expect.stringContaining('ADMIN_WRITE'),
      });
    }
    expect(await stored()).toEqual(before);
  });
});

describe('with ADMIN_WRITE=1', () => {
  let board: Board;
  beforeAll(async () => {
    board = await startBoard({ ADMIN_WRITE: '1' });
  });
  afterAll(() => board.stop());

  test.each(['cross-site', 'same-site', 'none', ''])(
    'a password that came from a page of "%s" changes nothing',
    async (site) => {
      const headers = site === '' ? basic : { ...basic, 'sec-fetch-site': site };
      expect(await put(board, '/api/queues/dead-letter/pause', headers)).toBe(403);
      expect(await put(board, '/api/queues/dead-letter/kept/clean', headers)).toBe(403);
      expect(await put(board, '/api/queues/dead-letter/add', headers, 'POST')).toBe(403);
      expect(await board.queue.isPaused()).toBe(false);
      expect(await board.queue.getJob('kept')).toBeDefined();
    },
  );

  test('the word of a browser is not enough without the password', async () => {
    expect(await put(board, '/api/queues/dead-letter/kept/clean', { 'sec-fetch-site': 'same-origin' })).toBe(401);
    expect(await board.queue.getJob('kept')).toBeDefined();
  });

  test('its own page removes a job', async () => {
    expect(await put(board, '/api/queues/dead-letter/kept/clean', sameOrigin)).toBe(204);
    expect(await board.queue.getJob('kept')).toBeUndefined();
  });
});
