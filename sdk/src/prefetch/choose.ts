import { difference, missingIn } from '../intake/ranges.ts';
import type { ConversationRow } from '../storage/storage.ts';
import type { Candidate, Rank } from './api.ts';

/** The messages that must be stored for a conversation to open without the network. */
export const newestItems = 20;

/**
 * The last activity of either side. On recorded conversations no ranking by frequency, unread messages or a trained
 * model found more of those that were written in next.
 */
export const lastActivity: Rank = (candidates) => candidates.map(({ at }) => at);

const isMissing = ({ lastSeq, present, absent }: ConversationRow): boolean => {
  const newest = { fromSeq: Math.max(1, lastSeq - newestItems + 1), toSeq: lastSeq };
  return lastSeq > 0 && difference(missingIn(newest, present), absent).length > 0;
};

/** The ids of the `most` candidates that rank highest. What has no finite score is left out. */
export function highest(candidates: readonly Candidate[], rank: Rank, most: number, now: number): string[] {
  const scores = rank(candidates, now);
  return candidates
    .map(({ id }, index) => ({ id, score: scores[index] ?? Number.NaN }))
    .filter(({ score }) => Number.isFinite(score))
    .toSorted((one, other) => other.score - one.score)
    .slice(0, most)
    .map(({ id }) => id);
}

/** Of the conversations that rank highest, those whose newest messages are not stored. */
export function choose(rows: readonly ConversationRow[], rank: Rank, most: number, now: number): string[] {
  const missing = rows.filter(isMissing);
  return highest(
    missing.map(({ id, at, unread, readSeq, lastSeq }) => ({ id, at, unread, readSeq, lastSeq })),
    rank,
    most,
    now,
  );
}
