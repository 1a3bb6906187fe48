import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fullJitter } from '../../../../sdk/src/backoff.ts';
import { jobRetries, retries, type RetryCurve, retryPauseMs } from '../../../../shared/timing/retry.ts';
import { always } from '../../../support/properties.ts';

const anyCurve: fc.Arbitrary<RetryCurve> = fc.constantFrom(...Object.values(retries), ...Object.values(jobRetries));
/** Also far beyond what anybody counts to. */
const attempt = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('pauses before retries', () => {
  test('are finite and within the curve', () => {
    always(
      fc.property(anyCurve, attempt, random, (curve, n, share) => {
        const pause = retryPauseMs(curve, n, () => share);
        const whole = Math.min(curve.firstMs * 2 ** Math.min(n - 1, 30), curve.mostMs);
        expect(Number.isFinite(pause)).toBe(true);
        expect(pause).toBeLessThanOrEqual(whole);
        expect(pause).toBeGreaterThanOrEqual(whole * (1 - curve.jitter) - 1e-9 * whole);
      }),
    );
  });

  test('never become shorter with more attempts', () => {
    always(
      fc.property(anyCurve, attempt, random, (curve, n, share) => {
        const pause = (one: number): number => retryPauseMs(curve, one, () => share);
        expect(pause(n + 1)).toBeGreaterThanOrEqual(pause(n));
      }),
    );
  });

  test('of clients are between the least and the most', () => {
    const range = fc.tuple(fc.nat(5000), fc.nat(60_000)).map(([minMs, more]) => ({ minMs, maxMs: minMs + more }));
    always(
      fc.property(range, fc.nat(2000), random, (one, n, share) => {
        const pause = fullJitter(n, one, () => share);
        expect(pause).toBeGreaterThanOrEqual(one.minMs);
        expect(pause).toBeLessThanOrEqual(one.maxMs);
        expect(fullJitter(n + 1, one, () => share)).toBeGreaterThanOrEqual(pause);
      }),
    );
  });
});
