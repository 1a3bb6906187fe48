import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import type { Message } from '../../support/frames.ts';

/** Searches as clients see them. */

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ search: true });
}, 90_000);
afterAll(() => cluster.stop());

type Page = { messages: Message[]; more: boolean; next?: string; indexing?: true };

const service = () => cluster.token('backend', { scope: 'service' });

async function ask(token: string, query: Record<string, string | number>) {
  const text = new URLSearchParams(Object.entries(query).map(([name, value]): [string, string] => [name, `${value}`]));
  return cluster.http(token, 'GET', `/search?${text}`);
}

async function search(user: string, q: string, more: Record<string, string | number> = {}): Promise<Page> {
  const { status, body } = await ask(cluster.token(user), { q, ...more });
  expect([status, body]).toEqual([200, expect.anything()]);
  return body as Page;
}

const bodies = ({ messages }: Page): unknown[] => messages.map(({ body }) => body);

/** Resolves once the search finds so many messages. */
const until = (user: string, q: string, count: number, more: Record<string, string | number> = {}) =>
  vi.waitFor(
    async () => {
      const page = await search(user, q, more);
      expect(page.messages).toHaveLength(count);
      return page;
    },
    { timeout: 5000, interval: 50 },
  );

async function send(sender: string, to: { to?: string; conversation?: string }, body: unknown, more: object = {}) {
  const clientId = `c${Math.random().toString(36).slice(2)}`;
  const sent = { sender, clientId, kind: 'text', body, ...to, ...more };
  const { status, body: answer } = await cluster.http(service(), 'POST', '/messages', sent);
  expect([status, answer]).toEqual([201, expect.anything()]);
  return answer as { conversation: string; seq: number };
}

test('finds Chinese from one character on', async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  await send(alice, { to: bob }, '我家在上海东边');
  for (const q of ['上海东边', '海', '上海', '上海东', '海东', '东边', '我家在上海东边']) {
    expect(bodies(await until(bob, q, 1))).toEqual(['我家在上海东边']);
  }
  for (const q of ['上东', '海上', '边东']) expect(bodies(await search(bob, q))).toEqual([]);
});
