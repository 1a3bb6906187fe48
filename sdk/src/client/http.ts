import { Refusal, type ErrorCode } from '../refusal.ts';

export type HttpOptions = {
  url(): string;
  token(): Promise<string>;
  fetch?: typeof globalThis.fetch;
};

export type Http = (method: string, path: string, body?: unknown) => Promise<unknown>;

/** A request to the HTTP routes, once. Rejects with a Refusal, or as `fetch` does. */
export function createHttp(options: HttpOptions): Http {
  return async (method, path, body) => {
    const response = await (options.fetch ?? fetch)(`${options.url()}/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${await options.token()}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
    });
    if (response.ok) return response.status === 204 ? undefined : response.json();
    const { error } = (await response.json().catch(() => ({}))) as {
      error?: { code?: ErrorCode; message?: string; retryable?: boolean };
    };
    const code = error?.code ?? (response.status >= 500 ? 'retry_later' : 'bad_request');
    const after = Number(response.headers.get('retry-after'));
    throw new Refusal(code, error?.message ?? response.statusText, {
      retryable: error?.retryable === true,
      ...(after > 0 ? { retryAfterMs: after * 1000 } : {}),
    });
  };
}
