import { Hono } from 'hono';
import { describe, expect, test } from 'vitest';
import { createErrorLog } from '../../../../gateway/error-log.ts';
import type { HttpEnv } from '../../../../gateway/http/context.ts';
import { createRefuse } from '../../../../gateway/http/errors.ts';
import { errorCodes, Refusal } from '../../../../shared/model/errors.ts';
import type { LogLine } from '../../../../shared/process/log.ts';
import { createMetrics } from '../../../../shared/process/metrics.ts';

/** An app whose only route throws this. */
async function thrown(error: unknown) {
  const lines: LogLine[] = [];
  const log = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: (line: LogLine) => void lines.push(line),
  };
  const metrics = createMetrics('test');
  const app = new Hono<HttpEnv>();
  app.onError(createRefuse(createErrorLog(metrics, log)));
  app.get('/', () => {
    throw error;
  });
  const response = await app.request('/');
  return {
    response,
    body: await response.json(),
    lines,
    counted: await metrics.registry.getSingleMetricAsString('restante_refused_total'),
  };
}

describe('a refusal', () => {
  test.each(errorCodes)('answers %s with its status, and counts it', async (code) => {
    const refusal = new Refusal(code, 'why');
    const { response, body, counted } = await thrown(refusal);
    expect(response.status).toBe(refusal.status);
    expect(body).toEqual({ error: { code, message: 'why', retryable: refusal.retryable } });
    expect(counted).toContain(`code="${code}"`);
    expect(response.headers.has('retry-after')).toBe(code === 'rate_limited' || code === 'retry_later');
  });

  test.each([
    [1, '1'],
    [999, '1'],
    [1001, '2'],
    [undefined, '1'],
    [90_000, '90'],
  ])('answers a wait of %s ms with Retry-After %s', async (retryAfterMs, seconds) => {
    const refusal = new Refusal('retry_later', 'why', retryAfterMs === undefined ? {} : { retryAfterMs });
    expect((await thrown(refusal)).response.headers.get('retry-after')).toBe(seconds);
  });
});

test('logs an unexpected error, and hides its text from the client', async () => {
  const { response, body, lines } = await thrown(new TypeError('secret detail'));
  expect(response.status).toBe(500);
  expect(body).toEqual({ error: { code: 'internal', message: 'unexpected failure', retryable: true } });
  expect(lines).toEqual([
    {
      event: 'refused',
      code: 'internal',
      where: 'GET /',
      reason: 'secret detail',
      also: 0,
      stack: expect.stringContaining('TypeError'),
    },
  ]);
});
