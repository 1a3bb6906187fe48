import type { Context } from 'hono';
import { z } from 'zod';
import { errorCodes, type ErrorCode, Refusal, retryLater, toRefusal } from '../../shared/model/errors.ts';
import { type Bound, boundStatus } from '../limits/connection-bounds.ts';
import type { HttpEnv, HttpParts } from './context.ts';

/** The body of every refusal. */
export const errorBody = z.object({
  error: z.object({
    code: z.enum(errorCodes as [ErrorCode, ...ErrorCode[]]),
    message: z.string().describe('for people; may change'),
    retryable: z.boolean().describe('whether the same request may succeed later'),
  }),
});
z.globalRegistry.add(errorBody, { id: 'Error' });

export function noSuchRoute(): never {
  throw new Refusal('not_found', 'no such route');
}

/** Turns whatever was thrown into an answer. An unexpected error's text is never shown to the client. */
export const createRefuse =
  (note: HttpParts['noteRefusal']) =>
  (thrown: unknown, context: Context<HttpEnv>): Response => {
    const refusal = toRefusal(thrown);
    const { code, message, retryable, status, retryAfterMs = 1000 } = refusal;
    note(refusal, `${context.req.method} ${context.req.path}`);
    if (status === 401) context.header('www-authenticate', 'Bearer');
    if (status === 429 || status === 503)
      context.header('retry-after', String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
    context.header('cache-control', 'no-store');
    return context.json({ error: { code, message, retryable } }, status);
  };

const boundRefusals = {
  total: retryLater('this gateway has as many connections as it may'),
  address: new Refusal('rate_limited', 'too many connections of this address'),
};

/** The answer to a request that is refused because there are too many connections. */
export function boundRefusal(bound: Bound): Response {
  const { code, message, retryable } = boundRefusals[bound];
  return Response.json(
    { error: { code, message, retryable } },
    { status: boundStatus[bound], headers: { 'retry-after': '1', 'cache-control': 'no-store' } },
  );
}
