import type { Context } from 'hono';
import { z } from 'zod';
import { errorCodes, type ErrorCode, Refusal, toRefusal } from '../../shared/errors.ts';
import { reason } from '../../shared/log.ts';
import type { HttpEnv, HttpParts } from './context.ts';

/** The body of every answer that is not the one asked for. */
export const errorBody = z.object({
  error: z.object({
    code: z.enum(errorCodes as [ErrorCode, ...ErrorCode[]]),
    message: z.string().describe('for people; may change'),
    retryable: z.boolean().describe('whether the same request may succeed later'),
  }),
});
z.globalRegistry.add(errorBody, { id: 'Error' });

export const noSuchRoute = (): never => {
  throw new Refusal('not_found', 'no such route');
};

/** Answers what was thrown. What nobody expected is logged and told to the client without its text. */
export const createRefuse =
  ({ metrics, log }: Pick<HttpParts, 'metrics' | 'log'>) =>
  (thrown: unknown, context: Context<HttpEnv>): Response => {
    const refusal = toRefusal(thrown);
    const { code, message, retryable, status, retryAfterMs = 1000 } = refusal;
    metrics.refused.inc({ code });
    if (code === 'internal') {
      log.error({ event: 'http_failed', method: context.req.method, path: context.req.path, reason: reason(refusal.cause) });
    }
    if (status === 401) context.header('www-authenticate', 'Bearer');
    if (status === 429 || status === 503) context.header('retry-after', String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
    context.header('cache-control', 'no-store');
    return context.json({ error: { code, message, retryable } }, status);
  };
