import { type Attributes, SpanStatusCode, trace } from '@opentelemetry/api';

const tracer = trace.getTracer('restante');

/**
 * The same work with an OpenTelemetry span around each call. `about` says what the span tells of it: ids and counts,
 * never a body or a token. Without an SDK in the process a span is nothing.
 */
export const traced =
  <Arguments extends unknown[], Result>(
    name: string,
    work: (...given: Arguments) => Promise<Result>,
    about: (...given: Arguments) => Attributes = () => ({}),
  ) =>
  (...given: Arguments): Promise<Result> =>
    tracer.startActiveSpan(name, { attributes: about(...given) }, async (span) => {
      try {
        return await work(...given);
      } catch (thrown) {
        span.setStatus({
          code: SpanStatusCode.ERROR,
          message: thrown instanceof Error ? thrown.message : String(thrown),
        });
        throw thrown;
      } finally {
        span.end();
      }
    });
