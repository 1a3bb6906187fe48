import { describe, expect, test } from 'vitest';
import { calmly, isPacking, type Measured, nextSurge, type Surge } from '../../../../shared/model/surge.ts';

const quiet: Measured = { rate: 20, lag: 0, storeMs: 5 };
const spike: Measured = { rate: 1000, lag: 0, storeMs: 5 };

/** Looks once a second at what is measured, from the second after the last. */
function watch(from: Surge, measured: Measured[], startS = 1): Surge[] {
  let now = from;
  return measured.map((one, i) => (now = nextSurge(now, one, 'auto', (startS + i) * 1000)));
}
const states = (all: Surge[]): string => all.map(({ state }) => state).join(' ');
const calm: Surge = { ...calmly(0), usualRate: 20 };

describe('a spike', () => {
  test('rises, is a surge once it lasts, settles and is calm again once that lasts', () => {
    const all = watch(calm, [...Array<Measured>(5).fill(spike), ...Array<Measured>(14).fill(quiet)]);
    expect(states(all)).toBe(
      `${'rising rising surge surge surge'} ${Array(10).fill('settling').join(' ')} calm calm calm calm`,
    );
    expect(all[2]!.reason).toBe('1000 messages a second, 20 are usual');
  });

  test('of a moment is none', () => {
    expect(states(watch(calm, [spike, quiet, spike, quiet, quiet]))).toBe('rising calm rising calm calm');
  });

  test('that comes back while it settles is one surge', () => {
    expect(states(watch({ ...calm, state: 'surge' }, [quiet, quiet, spike, quiet]))).toBe(
      'settling settling surge settling',
    );
  });

  test('between pressure and relief changes nothing', () => {
    const between: Measured = { rate: 150, lag: 1000, storeMs: 150 };
    for (const state of ['calm', 'surge', 'settling'] as const) {
      expect(new Set(watch({ ...calm, state }, Array<Measured>(30).fill(between)).map((one) => one.state))).toEqual(
        new Set([state]),
      );
    }
    // Settling must last from when it was last in doubt.
    expect(states(watch({ ...calm, state: 'settling' }, [quiet, between, ...Array<Measured>(10).fill(quiet)]))).toMatch(
      /^(settling ){11}calm$/,
    );
  });
});

test.each<[string, Measured]>([
  ['history is behind', { rate: 20, lag: 2000, storeMs: 5 }],
  ['the store is slow', { rate: 20, lag: 0, storeMs: 250 }],
])('%s: that presses as well', (_, measured) => {
  expect(states(watch(calm, [measured, measured, measured, measured]))).toBe('rising rising surge surge');
});

test('calls a busy partition calm at its usual rate, and never takes few messages for a spike', () => {
  expect(states(watch({ ...calm, usualRate: 500 }, Array<Measured>(5).fill(spike)))).toBe('calm calm calm calm calm');
  expect(states(watch({ ...calm, usualRate: 1 }, Array<Measured>(5).fill({ rate: 199, lag: 0, storeMs: 0 })))).toBe(
    'calm calm calm calm calm',
  );
});

test('learns the usual rate only while calm', () => {
  const learnt = watch(calm, Array<Measured>(200).fill({ ...quiet, rate: 60 })).at(-1)!;
  expect(learnt.usualRate).toBeGreaterThan(55);
  const stormy = watch(learnt, Array<Measured>(200).fill(spike), 300).at(-1)!;
  expect([stormy.state, stormy.usualRate]).toEqual(['surge', learnt.usualRate]);
});

test("holds the operator's mode, and continues from there with auto", () => {
  expect(nextSurge(calm, quiet, 'surge', 1000)).toMatchObject({
    state: 'surge',
    since: 1000,
    reason: 'an operator wants it',
  });
  expect(nextSurge({ ...calm, state: 'surge' }, spike, 'calm', 1000)).toMatchObject({ state: 'calm' });
  expect(nextSurge({ ...calm, state: 'surge', since: 5 }, spike, 'surge', 1000)).toMatchObject({
    state: 'surge',
    since: 5,
  });
  expect(nextSurge({ ...calm, state: 'surge' }, quiet, 'auto', 1000)).toMatchObject({ state: 'settling' });
});

test('packs blocks during a surge and until it has settled', () => {
  expect((['calm', 'rising', 'surge', 'settling'] as const).map(isPacking)).toEqual([false, false, true, true]);
});
