import { randomUUID } from 'node:crypto';
import { expect, vi } from 'vitest';
import type { Cluster, HttpAnswer } from './cluster.ts';
import type { Message } from './frames.ts';

export type SearchPage = { messages: Message[]; more: boolean; next?: string; indexing?: true };
export type SearchQuery = Record<string, string | number>;

/** Searches and sends as clients and back ends of a cluster do. */
export function searchingOn(cluster: Cluster) {
  const service = (): string => cluster.token('backend', { scope: 'service' });

  const ask = (token: string, query: SearchQuery): Promise<HttpAnswer> => {
    const pairs = Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]);
    return cluster.http(token, 'GET', `/search?${new URLSearchParams(pairs)}`);
  };

  async function search(user: string, q: string, more: SearchQuery = {}): Promise<SearchPage> {
    const { status, body } = await ask(cluster.token(user), { q, ...more });
    if (status !== 200) throw new Error(`a search was answered with ${status}: ${JSON.stringify(body)}`);
    return body as SearchPage;
  }

  async function post(path: string, body: object, expected = 201): Promise<unknown> {
    const { status, body: answer } = await cluster.http(service(), 'POST', path, body);
    expect([status, answer]).toEqual([expected, answer]);
    return answer;
  }

  /** A send by a back end, so that nobody has to be connected. `to`: a user; otherwise `conversation`. */
  async function send(
    sender: string,
    target: { to: string } | { conversation: string },
    body: unknown,
    more: object = {},
  ): Promise<Message> {
    const sent = { sender, clientId: randomUUID(), kind: 'text', body, ...target, ...more };
    return ((await post('/messages', sent)) as { message: Message }).message;
  }

  return {
    service,
    ask,
    search,
    send,
    /** The messages of all pages. */
    async all(user: string, q: string): Promise<Message[]> {
      const seen: Message[] = [];
      for (let next: string | undefined = ''; next !== undefined;) {
        const page: SearchPage = await search(user, q, { limit: 50, ...(next === '' ? {} : { next }) });
        seen.push(...page.messages);
        next = page.next;
      }
      return seen;
    },

    /** A new index says that it is behind until it has been compared with history. */
    current: (): Promise<void> =>
      vi.waitFor(
        async () => {
          const { body } = await ask(service(), { q: 'anything' });
          if ((body as SearchPage).indexing !== undefined) throw new Error('the index is not current yet');
        },
        { timeout: 10_000, interval: 50 },
      ),

    bodies: ({ messages }: SearchPage): unknown[] => messages.map(({ body }) => body),

    /** Resolves with the first page that has exactly so many messages. */
    until: (user: string, q: string, count: number, more: SearchQuery = {}, timeout = 10_000): Promise<SearchPage> =>
      vi.waitFor(
        async () => {
          const page = await search(user, q, more);
          expect(page.messages).toHaveLength(count);
          return page;
        },
        { timeout, interval: 50 },
      ),

    /** `body` undefined: a recall. */
    async amend({ conversation, seq }: Pick<Message, 'conversation' | 'seq'>, body?: unknown): Promise<void> {
      const amendment = body === undefined ? { action: 'recall' } : { action: 'edit', body };
      await post(`/conversations/${conversation}/messages/${seq}/amend`, amendment, 200);
    },

    async group(...members: string[]): Promise<string> {
      const id = `g-${randomUUID()}`;
      await post('/conversations', { id, kind: 'group', members });
      return id;
    },
    async member(method: 'PUT' | 'DELETE', conversation: string, user: string): Promise<void> {
      const { status } = await cluster.http(service(), method, `/conversations/${conversation}/members/${user}`);
      expect(status).toBe(204);
    },
  };
}

export type Searching = ReturnType<typeof searchingOn>;
