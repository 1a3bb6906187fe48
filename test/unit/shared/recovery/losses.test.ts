import { expect, test } from 'vitest';
import type { Loss } from '../../../../shared/history/store.ts';
import { earliestMissed, withLoss } from '../../../../shared/recovery/losses.ts';

const loss = (generation: number, lostSince: number | null): Loss => ({
  epoch: `e${generation}`,
  generation,
  lostSince,
});

test('tells a client the earliest loss that it missed', () => {
  const losses = [loss(1, 500), loss(2, 900), loss(3, 700)];
  expect(earliestMissed(losses, 'e1')).toBe(700);
  expect(earliestMissed(losses, 'e2')).toBe(700);
  expect(earliestMissed(losses, 'e3')).toBe(null);
  // Of the first epoch, of none, or of one from elsewhere: it may have missed all.
  for (const known of ['e0', undefined, 'of another deployment']) expect(earliestMissed(losses, known)).toBe(500);
  expect(earliestMissed([], 'e0')).toBe(null);
  expect(earliestMissed([loss(1, null)], 'e0')).toBe(null);
  expect(earliestMissed([loss(1, null), loss(2, 900)], 'e0')).toBe(900);
});

test('bounds the list without ever telling a later moment', () => {
  let losses: Loss[] = [];
  for (let generation = 1; generation <= 150; generation++)
    losses = withLoss(losses, loss(generation, 1000 + (generation === 3 ? -500 : generation)));
  expect(losses.length).toBe(100);
  expect(losses.at(-1)).toEqual(loss(150, 1150));
  expect(earliestMissed(losses, 'e2')).toBe(500);
  expect(earliestMissed(losses, undefined)).toBe(500);
  expect(earliestMissed(losses, 'e149')).toBe(1150);
  const oldest = losses[0]!;
  expect(earliestMissed(losses, oldest.epoch)).toBe(oldest.generation + 1001);
});
