import { expect } from 'vitest';
import type { HttpParts } from '../../gateway/http/context.ts';
import { errorBody } from '../../gateway/http/errors.ts';
import type { Answer, Route } from '../../gateway/http/route.ts';
import { routesOf } from '../../gateway/http/routes/all.ts';
import type { Cluster } from './cluster.ts';
import type { Message } from './frames.ts';

/** The table from which openapi.json is generated; reading it needs no gateway. */
const routes = routesOf({} as HttpParts);
const routeOf = (method: string, path: string): Route | undefined =>
  routes.find(
    (route) =>
      route.method === method.toLowerCase() && new RegExp(`^${route.path.replaceAll(/:\w+/g, '[^/]+')}$`).test(path),
  );

export type HttpError = { code: string; message: string; retryable: boolean };
export type Conversation = {
  id: string;
  kind: 'direct' | 'group';
  name: string | null;
  peer?: string;
  members?: { user: string; joinedSeq: number }[];
  memberCount: number;
  lastSeq: number;
  readSeq: number;
  unread: number;
  last: Message | null;
  createdAt: number;
};
/** Any response body: tests name the fields that they expect. */
export type Body = { [field: string]: any } & { error?: HttpError }; // oxlint-disable-line typescript/no-explicit-any
export type Reply = { status: number; text: string; body: Body; headers: Headers };

export type Extra = { headers?: Record<string, string>; text?: string | Uint8Array<ArrayBuffer>; gateway?: number };
export type Api = (method: string, path: string, body?: unknown, extra?: Extra) => Promise<Reply>;

/** A response must match the document exactly. */
function expectDocumented(method: string, path: string, { status, text, body, headers }: Reply): void {
  const schema =
    status >= 400 ? errorBody : routeOf(method, path.split('?')[0]!)?.answers[status as Answer['status']]?.schema;
  if (schema === undefined) expect(text).toBe('');
  else expect(schema.parse(body)).toEqual(body);
  if (status === 429 || status === 503) expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
}

/** Requests under /v1 with one token; every response is validated against the published schema of its route. */
export const apiOf =
  (cluster: Pick<Cluster, 'url'>, token: string): Api =>
  async (method, path, body, { headers = {}, text: given, gateway = 1 } = {}) => {
    const base = cluster.url(gateway).replace(/^ws/, 'http').replace(/\/ws$/, '');
    const content = given ?? (body === undefined ? null : JSON.stringify(body));
    const request: RequestInit = {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(content === null ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: content,
      signal: AbortSignal.timeout(10_000),
    };
    const response = await fetch(`${base}${path}`, request);
    const text = await response.text();
    const reply = {
      status: response.status,
      text,
      body: text === '' ? {} : (JSON.parse(text) as Body),
      headers: response.headers,
    };
    expectDocumented(method, path, reply);
    return reply;
  };

/** A refusal as status and code. */
export const refusal = ({ status, body }: Reply): [number, string | undefined] => [status, body.error?.code];

let sent = 0;
/** A send with a new clientId. */
export const textTo = (target: { to?: string; conversation?: string; sender?: string }, body: unknown = 'hello') => ({
  clientId: `c${++sent}`,
  kind: 'text',
  body,
  ...target,
});

export const bodiesOf = ({ body }: Reply): unknown[] => (body['messages'] as Message[]).map((message) => message.body);
