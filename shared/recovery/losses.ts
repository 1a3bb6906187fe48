import type { Loss } from '../history/store.ts';

/** More are merged, the two oldest first: nobody is told a later moment for it. */
const mostLosses = 100;

const earlier = (one: number | null, other: number | null): number | null =>
  one === null || other === null ? (one ?? other) : Math.min(one, other);

/** The list with one more loss. */
export function withLoss(losses: readonly Loss[], loss: Loss): Loss[] {
  if (losses.length < mostLosses) return [...losses, loss];
  const [first, second, ...rest] = losses as [Loss, Loss, ...Loss[]];
  return [{ ...second, lostSince: earlier(first.lostSince, second.lostSince) }, ...rest, loss];
}

/**
 * Since when something may be lost (ms since 1970) that a client got accepted: the earliest of the losses after the
 * epoch that it knows, of all if it names none or one that is not in the list. Null: it has missed none that concerns
 * messages.
 */
export function earliestMissed(losses: readonly Loss[], knownEpoch: string | undefined): number | null {
  const known = losses.find(({ epoch }) => epoch === knownEpoch)?.generation ?? -1;
  const missed = losses.filter(({ generation }) => generation > known);
  return missed.map(({ lostSince }) => lostSince).reduce(earlier, null);
}
