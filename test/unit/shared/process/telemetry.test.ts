import { type Attributes, SpanStatusCode, trace, type TracerProvider } from '@opentelemetry/api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { traced } from '../../../../shared/process/telemetry.ts';

const spans: { name: string; attributes: Attributes | undefined; failed: boolean; ended: boolean }[] = [];

/** As much of an SDK as is needed to see what is handed to one. */
const provider = {
  getTracer: () => ({
    startActiveSpan(name: string, { attributes }: { attributes?: Attributes }, work: (span: object) => unknown) {
      const span = { name, attributes, failed: false, ended: false };
      spans.push(span);
      return work({
        setStatus: ({ code }: { code: SpanStatusCode }) => (span.failed = code === SpanStatusCode.ERROR),
        end: () => (span.ended = true),
      });
    },
  }),
};
beforeAll(() => void trace.setGlobalTracerProvider(provider as unknown as TracerProvider));
afterAll(() => trace.disable());

test('wraps each call in a span with its attributes, without changing the result', async () => {
  const work = traced(
    'restante.work',
    async (n: number) => {
      if (n < 0) throw new Error('negative');
      return n * 2;
    },
    (n) => ({ n }),
  );
  expect(await work(2)).toBe(4);
  await expect(work(-1)).rejects.toThrow('negative');
  expect(spans).toEqual([
    { name: 'restante.work', attributes: { n: 2 }, failed: false, ended: true },
    { name: 'restante.work', attributes: { n: -1 }, failed: true, ended: true },
  ]);
});
