import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fairShare } from '../../../../workers/stream/partition-leases.ts';
import { always } from '../../../support/properties.ts';

type Turn = { who: number; comes: boolean };

/** As each process does it in its turn: gives up what is above its share, then takes what is free. */
function takeTurn(owners: (number | null)[], who: number, processes: number): void {
  const share = fairShare(owners.length, processes);
  const owned = (): number => owners.filter((owner) => owner === who).length;
  owners.forEach((owner, partition) => {
    if (owner === who && owned() > share) owners[partition] = null;
  });
  owners.forEach((owner, partition) => {
    if (owner === null && owned() < share) owners[partition] = who;
  });
}

test('whoever comes and goes, after two rounds every partition has an owner, and none owns more than its share', () => {
  const turn: fc.Arbitrary<Turn> = fc.record({ who: fc.nat(5), comes: fc.boolean() });
  always(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.array(turn, { maxLength: 20 }), (partitions, turns) => {
      const owners: (number | null)[] = Array.from({ length: partitions }, () => null);
      const living = new Set([0]);
      for (const { who, comes } of turns) {
        if (comes) living.add(who);
        else if (living.size > 1) living.delete(who);
        // The leases of one that is gone run out.
        owners.forEach((owner, partition) => {
          if (owner !== null && !living.has(owner)) owners[partition] = null;
        });
        for (const one of living) takeTurn(owners, one, living.size);
      }
      for (let round = 0; round < 2; round++) for (const one of living) takeTurn(owners, one, living.size);
      const share = fairShare(partitions, living.size);
      expect(owners).not.toContain(null);
      for (const one of living) expect(owners.filter((owner) => owner === one).length).toBeLessThanOrEqual(share);
    }),
  );
});
