import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  calmly,
  isRelieved,
  type Measured,
  nextSurge,
  pressure,
  type Surge,
  type SurgeState,
} from '../../../../shared/model/surge.ts';
import { always } from '../../../support/properties.ts';

const measured: fc.Arbitrary<Measured> = fc.record({
  rate: fc.oneof(fc.nat(300), fc.nat(5000)),
  lag: fc.oneof(fc.constant(0), fc.nat(3000)),
  storeMs: fc.oneof(fc.constant(5), fc.nat(400)),
});
/** Looks at a partition, and the time since the one before (ms). The clock may go back. */
const looks = fc.array(
  fc.tuple(measured, fc.oneof({ weight: 9, arbitrary: fc.nat(3000) }, fc.integer({ min: -9000, max: 0 }))),
  {
    maxLength: 40,
  },
);

/** Every state that a partition passes through, with what was measured and when. */
function passed(all: [Measured, number][]): { before: Surge; after: Surge; at: number; seen: Measured }[] {
  let at = 1_000_000;
  let surge = calmly(at);
  return all.map(([seen, later]) => {
    at += later;
    const before = surge;
    surge = nextSurge(before, seen, 'auto', at);
    return { before, after: surge, at, seen };
  });
}

const follows: Record<SurgeState, SurgeState[]> = {
  calm: ['calm', 'rising'],
  rising: ['rising', 'calm', 'surge'],
  surge: ['surge', 'settling'],
  settling: ['settling', 'surge', 'calm'],
};

describe('the decision whether a partition surges', () => {
  test('takes no way but those of the state diagram', () => {
    always(
      fc.property(looks, (all) => {
        const strange = passed(all).filter(({ before, after }) => !follows[before.state].includes(after.state));
        expect(strange).toEqual([]);
      }),
    );
  });

  test('begins a surge only under pressure, and ends it only without', () => {
    always(
      fc.property(looks, (all) => {
        for (const { before, after, seen } of passed(all)) {
          if (before.state === 'rising' && after.state === 'surge')
            expect(pressure(seen, before.usualRate)).not.toBe('');
          if (before.state === 'settling' && after.state === 'calm')
            expect(isRelieved(seen, before.usualRate)).toBe(true);
        }
      }),
    );
  });

  test('names no moment that has not come, and a usual rate that was seen', () => {
    always(
      fc.property(looks, (all) => {
        let highest = 0;
        const strange: Surge[] = [];
        for (const { after, at, seen } of passed(all)) {
          highest = Math.max(highest, seen.rate);
          const isPast = after.since <= at && after.turned <= at;
          if (!isPast || after.usualRate < 0 || after.usualRate > highest) strange.push(after);
        }
        expect(strange).toEqual([]);
      }),
    );
  });

  test('comes to a surge under lasting pressure, and to calm after lasting relief', () => {
    const quiet: Measured = { rate: 0, lag: 0, storeMs: 5 };
    const pressed: Measured = { rate: 0, lag: 5000, storeMs: 5 };
    always(
      fc.property(looks, (all) => {
        const before = passed(all).at(-1);
        let at = before?.at ?? 0;
        let surge = before?.after ?? calmly(0);
        const look = (seen: Measured): void => {
          at += 1000;
          surge = nextSurge(surge, seen, 'auto', at);
        };
        for (let i = 0; i < 5; i++) look(pressed);
        expect(surge.state).toBe('surge');
        for (let i = 0; i < 15; i++) look(quiet);
        expect(surge.state).toBe('calm');
      }),
    );
  });

  test('is what an operator wants, at once', () => {
    always(
      fc.property(looks, measured, fc.constantFrom('calm' as const, 'surge' as const), (all, seen, mode) => {
        const surge = passed(all).at(-1)?.after ?? calmly(0);
        expect(nextSurge(surge, seen, mode, surge.since + 1).state).toBe(mode);
      }),
    );
  });
});
