import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createReceivedPositions } from '../../../../gateway/session/received-positions.ts';
import type { SessionState } from '../../../../gateway/session/session-parts.ts';
import type { Faults } from '../../../../shared/process/faults.ts';
import type { Logger } from '../../../../shared/process/log.ts';
import type { Advance } from '../../../../shared/redis/inboxes/devices.ts';
import { alwaysInTime } from '../../../support/properties.ts';

type Step = { session: number; more: number } | 'flush' | 'flush fails' | 'one ends';

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ session: fc.nat(3), more: fc.nat(3) }) },
  fc.constantFrom<Step>('flush', 'flush fails', 'one ends'),
);

test('the highest position of each session is written, none falls, and what failed is tried again', async () => {
  await alwaysInTime(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.boolean(), async (steps, together) => {
      const sessions = [0, 1, 2, 3].map((i) => ({
        user: `u${i}`,
        epoch: 'e',
        device: 'd',
        id: `s${i}`,
        ended: false,
      }));
      const highest = new Map<string, number>();
      const written = new Map<string, number>();
      const fallen: string[] = [];
      let failures = 0;
      const advance = async (moves: readonly Advance[]): Promise<('advanced' | 'above')[]> => {
        await Promise.resolve();
        if (failures > 0) {
          failures -= 1;
          // What comes meanwhile must not be lost.
          advanceBy(0, 1);
          throw new Error('Redis is away');
        }
        for (const { session, position } of moves) {
          if (position < (written.get(session) ?? 0)) fallen.push(session);
          written.set(session, position);
        }
        return moves.map(() => 'advanced');
      };
      const received = createReceivedPositions(
        { advance } as unknown as Parameters<typeof createReceivedPositions>[0],
        { groupOf: (user) => (together ? 0 : Number(user.slice(1)) % 2) },
        'g1',
        { warn: () => undefined } as unknown as Logger,
        {
          note: (_: string, thrown: unknown) => {
            throw thrown;
          },
        } as unknown as Faults,
        () => undefined,
      );
      // A session's position never falls.
      const advanceBy = (i: number, more: number): void => {
        const session = sessions[i]!;
        const position = (highest.get(session.id) ?? 0) + more;
        highest.set(session.id, position);
        received.advance(session as SessionState, position);
      };
      for (const one of steps) {
        if (one === 'one ends') sessions[3]!.ended = true;
        else if (one === 'flush') await received.flush();
        else if (one === 'flush fails') {
          failures = 1;
          await received.flush();
          failures = 0;
        } else {
          advanceBy(one.session, one.more);
        }
      }
      await received.flush();
      expect(received.waiting).toBe(false);
      expect(fallen).toEqual([]);
      for (const { id, ended } of sessions) if (!ended) expect(written.get(id)).toBe(highest.get(id));
    }),
  );
});
