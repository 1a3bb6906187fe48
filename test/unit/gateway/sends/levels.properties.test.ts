import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLevels } from '../../../../gateway/sends/levels.ts';
import type { Sought } from '../../../../gateway/sends/stored-lookup.ts';
import { Refusal } from '../../../../shared/model/errors.ts';
import { isReached, type Level } from '../../../../shared/model/levels.ts';
import { always } from '../../../support/properties.ts';

type Send = { level: Level; duplicate: boolean };
type Step =
  | Send
  | { barrier: boolean }
  | { archiveTells: number }
  | { historyHas: number }
  | 'the connection closes'
  | 'new epoch';

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ level: fc.constantFrom<Level>('accepted', 'durable', 'stored'), duplicate: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ barrier: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ archiveTells: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ historyHas: fc.nat(20) }) },
  fc.constantFrom<Step>('the connection closes', 'new epoch'),
);

test('every answer comes once, and says no more than was shown', () => {
  always(
    fc.property(
      fc.array(step, { maxLength: 30 }),
      fc.constantFrom('waitaof' as const, 'at-once' as const),
      (steps, means) => {
        const durability = { run: 'r1', means };
        let acceptingRun = 'r1';
        const barriers: { from: number; passed: (isDurable: boolean) => void }[] = [];
        const sought = new Set<Sought>();
        let found: (one: Sought) => void = () => undefined;
        /** What was shown of each send, and what its sender was told. */
        const shown: Level[] = [];
        const told: (Level | Refusal)[][] = [];
        const sends: Send[] = [];
        const metric = { observe: () => undefined, inc: () => undefined };
        const levels = createLevels({
          byDefault: 'accepted',
          waitMs: 60_000,
          acceptingRun: () => acceptingRun,
          durability,
          barrier: { pass: (_run, passed) => void barriers.push({ from: sends.length - 1, passed }) },
          lookup: (tell) => {
            found = tell;
            return {
              seek: (one: Sought) => void sought.add(one),
              forget: (one: Sought) => void sought.delete(one),
              stop: () => undefined,
            };
          },
          metrics: { durableSeconds: metric, storedSeconds: metric, levelMissed: metric } as unknown as Parameters<
            typeof createLevels
          >[0]['metrics'],
        });
        const isWaiting = (send: number): boolean => told[send]?.length === 0;

        function take(one: Step): void {
          if (one === 'the connection closes') acceptingRun = '';
          else if (one === 'new epoch') levels.epochChanged();
          else if ('level' in one) {
            const send = sends.push(one) - 1;
            shown.push(means === 'at-once' && acceptingRun === 'r1' ? 'durable' : 'accepted');
            told.push([]);
            const accepted = { id: `0-${send}-0`, conversation: 'c', seq: send + 1, at: 1, duplicate: one.duplicate };
            levels.begin(accepted, one.level, (outcome) => void told[send]!.push(outcome));
          } else if ('barrier' in one) {
            const barrier = barriers.shift();
            if (barrier === undefined) return;
            if (one.barrier) shown[barrier.from] = 'durable';
            barrier.passed(one.barrier);
          } else if ('archiveTells' in one) {
            if (isWaiting(one.archiveTells)) shown[one.archiveTells] = 'stored';
            levels.stored(0, [`${one.archiveTells}-0`]);
          } else {
            const some = [...sought].find(({ seq }) => seq === one.historyHas + 1);
            if (some === undefined) return;
            shown[one.historyHas] = 'stored';
            found(some);
          }
        }

        for (const one of steps) take(one);
        levels.hurry(0);
        levels.stop();
        const wrong = told.filter((outcomes, send) => {
          const [outcome] = outcomes;
          if (outcomes.length !== 1 || outcome === undefined) return true;
          if (outcome instanceof Refusal) return outcome.code !== 'unknown_outcome';
          return !isReached(shown[send]!, outcome);
        });
        expect(wrong).toEqual([]);
        expect(levels.waiting().filter(({ count }) => count > 0)).toEqual([]);
        expect([...sought]).toEqual([]);
      },
    ),
  );
});
