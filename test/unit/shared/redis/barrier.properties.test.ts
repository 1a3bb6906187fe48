import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { createBarrier } from '../../../../shared/redis/barrier.ts';
import { alwaysInTime } from '../../../support/properties.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

type Step = 'accept' | 'accept of another run' | 'turn' | 'another run' | 'cut' | { local: number; replicas: number };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Step>('accept') },
  fc.constantFrom<Step>('accept of another run', 'turn', 'turn', 'another run', 'cut'),
  { weight: 3, arbitrary: fc.record({ local: fc.nat(1), replicas: fc.nat(2) }) },
);

test('a barrier says "durable" only of what was answered by its run before it was sent', async () => {
  await alwaysInTime(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.nat(2), async (steps, replicas) => {
      const durability = { run: 'r1', means: 'waitaof' } as { run: string; means: 'waitaof' };
      /** Barriers that Redis has not answered: for which run, and how many accepts were answered before. */
      const sent: {
        run: string;
        accepts: number;
        answer: (counts: [number, number] | null) => void;
      }[] = [];
      const outcomes: (boolean | null)[] = [];
      const runs: string[] = [];
      /** Accepts that the last good barrier of their run stands for. */
      const durable = new Set<number>();
      const played = {
        pipeline: () => ({
          set() {
            return this;
          },
          call: () => undefined,
          exec: () =>
            new Promise((resolve, reject) => {
              const answer = (counts: [number, number] | null): void =>
                counts === null
                  ? reject(new Error('the connection is gone'))
                  : resolve([
                      [null, 'OK'],
                      [null, counts],
                    ]);
              sent.push({ run: durability.run, accepts: outcomes.length, answer });
            }),
        }),
      } as unknown as Redis;
      const barrier = createBarrier(played, { barrier: () => 'b' }, durability, {
        replicas,
        mostMs: 1,
      });
      const accept = (run: string): void => {
        const index = outcomes.push(null) - 1;
        runs.push(run);
        barrier.pass(run, (isDurable) => {
          expect(outcomes[index]).toBe(null);
          outcomes[index] = isDurable;
          if (isDurable) expect(durable.has(index)).toBe(true);
        });
      };
      const answered = async (counts: [number, number] | null): Promise<void> => {
        const first = sent.shift();
        if (first === undefined) return;
        if (counts !== null && counts[0] >= 1 && counts[1] >= replicas)
          for (let i = 0; i < first.accepts; i++) if (runs[i] === first.run) durable.add(i);
        first.answer(counts);
        await turn();
      };
      for (const one of steps) {
        if (one === 'accept') accept(durability.run);
        else if (one === 'accept of another run') accept('r0');
        else if (one === 'turn') await turn();
        else if (one === 'another run') durability.run += '+';
        else if (one === 'cut') await answered(null);
        else await answered([one.local, one.replicas]);
        expect(sent.length).toBeLessThanOrEqual(1);
      }
      await turn();
      while (sent.length > 0) await answered([1, replicas]);
      expect(outcomes).not.toContain(null);
    }),
  );
});
