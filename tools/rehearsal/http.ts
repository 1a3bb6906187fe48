import { setTimeout as pause } from 'node:timers/promises';
import { fullJitter } from '../../sdk/src/backoff.ts';
import { createHttp } from '../../sdk/src/client/http.ts';
import { Refusal } from '../../sdk/src/refusal.ts';
import type { HistoryPage } from '../../sdk/src/wire.ts';

/** The HTTP routes that rehearsals need, as one user. Requests outlive gateways that are killed. */
export type Http = {
  createConversation(request: { id: string; members: string[]; name?: string }): Promise<void>;
  addMember(conversation: string, user: string): Promise<void>;
  removeMember(conversation: string, user: string): Promise<void>;
  members(conversation: string): Promise<Member[]>;
  history(conversation: string, page?: Page): Promise<HistoryPage>;
};

export type Member = { user: string; joinedSeq: number };

export type Page = { before?: number; after?: number; limit?: number };

/** How often a request is tried when the gateway is away or answers `retryable`. Every route here may be repeated. */
const tries = 30;
const timeoutMs = 15_000;
const retryRange = { minMs: 50, maxMs: 2000 };

const queryOf = (values: Record<string, unknown>): string => {
  const query = new URLSearchParams(
    Object.entries(values).map(([name, value]): [string, string] => [name, String(value)]),
  );
  return query.size === 0 ? '' : `?${query}`;
};

/** `base` is `http://host:port`, or a function that picks one for each try. Rejects with a Refusal. */
export function openHttp(base: string | (() => string), token: string): Http {
  const once = createHttp({
    url: typeof base === 'string' ? () => base : base,
    token: async () => token,
    fetch: (input, init) => fetch(input, { ...init, signal: AbortSignal.timeout(timeoutMs) }),
  });

  const call: typeof once = async (...request) => {
    for (let attempt = 0; ; attempt++) {
      try {
        return await once(...request);
      } catch (error) {
        if (attempt + 1 >= tries || (error instanceof Refusal && !error.retryable)) throw error;
        const asked = error instanceof Refusal ? (error.retryAfterMs ?? 0) : 0;
        await pause(asked + fullJitter(attempt, retryRange));
      }
    }
  };

  return {
    createConversation: async (request) => void (await call('POST', '/conversations', request)),
    addMember: async (conversation, user) => void (await call('PUT', `/conversations/${conversation}/members/${user}`)),
    removeMember: async (conversation, user) =>
      void (await call('DELETE', `/conversations/${conversation}/members/${user}`)),
    async members(conversation) {
      const all: Member[] = [];
      for (let after = {}; ;) {
        const path = `/conversations/${conversation}/members${queryOf({ ...after, limit: 200 })}`;
        const page = (await call('GET', path)) as { members: Member[]; next?: string };
        all.push(...page.members);
        if (page.next === undefined || page.members.length === 0) return all;
        after = { after: page.next };
      }
    },
    history: async (conversation, page = {}) =>
      (await call('GET', `/conversations/${conversation}/messages${queryOf(page)}`)) as HistoryPage,
  };
}
