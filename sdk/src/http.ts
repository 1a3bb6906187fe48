import { setTimeout as pause } from 'node:timers/promises';
import { fullJitter } from './backoff.ts';
import { Refusal, type ErrorCode } from './refusal.ts';
import type { Accepted, ConversationKind, HistoryPage, InboxPage, MessageClass } from './wire.ts';

/** The part of the HTTP routes that the commands need, as one user or as a service. */

export type Conversation = {
  id: string;
  kind: ConversationKind;
  name: string | null;
  peer?: string;
  members?: { user: string; joinedSeq: number }[];
  memberCount: number;
  lastSeq: number;
  readSeq: number;
  unread: number;
  createdAt: number;
};

export type Page = { before?: number; after?: number; limit?: number };

export type HttpSend = {
  clientId: string;
  to?: string;
  conversation?: string;
  kind: string;
  body: unknown;
  class?: MessageClass;
  sender?: string;
};

export type Http = {
  createConversation(request: { id?: string; members: string[]; name?: string }): Promise<Conversation>;
  conversation(id: string): Promise<Conversation>;
  addMember(conversation: string, user: string): Promise<void>;
  removeMember(conversation: string, user: string): Promise<void>;
  members(conversation: string): Promise<{ user: string; joinedSeq: number }[]>;
  send(send: HttpSend): Promise<Accepted>;
  history(conversation: string, page?: Page): Promise<HistoryPage>;
  inbox(query: { after?: number; limit?: number; device?: string; epoch?: string }): Promise<InboxPage>;
};

export type HttpOptions = {
  /** How often a request is repeated when the gateway is away or answers `retryable`. Every route here may be. */
  tries?: number;
  timeoutMs?: number;
  random?: () => number;
};

function query(values: Record<string, string | number | undefined>): string {
  const given = Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  );
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}

type ErrorBody = { error?: { code?: ErrorCode; message?: string } };

async function refusalOf(response: Response): Promise<Refusal> {
  const body = (await response.json().catch(() => ({}))) as ErrorBody;
  const fallback: ErrorCode = response.status >= 500 ? 'retry_later' : 'bad_request';
  const after = Number(response.headers.get('retry-after'));
  const text = `${response.status} ${body.error?.message ?? response.statusText}`;
  return new Refusal(body.error?.code ?? fallback, text, after > 0 ? { retryAfterMs: after * 1000 } : {});
}

/** `base` is `http://host:port`, or a function that picks one for each try. Rejects with a Refusal. */
export function openHttp(base: string | (() => string), token: string, options: HttpOptions = {}): Http {
  const { tries = 30, timeoutMs = 15_000, random = Math.random } = options;

  const once = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const response = await fetch(`${typeof base === 'string' ? base : base()}/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (!response.ok) throw await refusalOf(response);
    if (response.status === 204) return undefined;
    return response.json();
  };

  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    for (let attempt = 0; ; attempt++) {
      try {
        return await once(method, path, body);
      } catch (error) {
        if (attempt + 1 >= tries || (error instanceof Refusal && !error.retryable)) throw error;
        const asked = error instanceof Refusal ? (error.retryAfterMs ?? 0) : 0;
        await pause(asked + fullJitter(attempt, { minMs: 50, maxMs: 2000 }, random));
      }
    }
  };

  return {
    createConversation: async (request) => (await call('POST', '/conversations', request)) as Conversation,
    conversation: async (id) => (await call('GET', `/conversations/${id}`)) as Conversation,
    addMember: async (conversation, user) => {
      await call('PUT', `/conversations/${conversation}/members/${user}`);
    },
    removeMember: async (conversation, user) => {
      await call('DELETE', `/conversations/${conversation}/members/${user}`);
    },
    async members(conversation) {
      const all: { user: string; joinedSeq: number }[] = [];
      for (let after: string | undefined; ;) {
        const page = (await call('GET', `/conversations/${conversation}/members${query({ after, limit: 200 })}`)) as {
          members: { user: string; joinedSeq: number }[];
          next?: string;
        };
        all.push(...page.members);
        if (page.next === undefined || page.members.length === 0) return all;
        after = page.next;
      }
    },
    send: async (send) => (await call('POST', '/messages', send)) as Accepted,
    history: async (conversation, page = {}) =>
      (await call('GET', `/conversations/${conversation}/messages${query(page)}`)) as HistoryPage,
    inbox: async (request) => (await call('GET', `/inbox${query(request)}`)) as InboxPage,
  };
}
