import { crc32 } from 'node:zlib';

/**
 * The rank of a message: its milliseconds since 2020, and 8 bits that tell apart those of one millisecond. Ranks rise
 * with time, so the newest messages are found first without sorting. They stay below 2^53 for a thousand years,
 * and few bits keep the index small: it stores the differences of ranks.
 *
 * The 8 bits are made of the message itself, so that every index gives it the same rank, unless two of one millisecond
 * meet in them. A page can be continued in another index.
 */
const origin = Date.UTC(2020, 0, 1);
const perMs = 256;
const lastMs = Math.floor(Number.MAX_SAFE_INTEGER / perMs) - 1;

/** The lowest rank of a message accepted at `at` (ms since 1970) or later. */
export const firstRankAt = (at: number): number => Math.min(Math.max(Math.ceil(at) - origin, 0), lastMs) * perMs;

export const rankOf = (at: number, conversation: string, seq: number): number =>
  firstRankAt(at) + (crc32(`${conversation} ${seq}`) & (perMs - 1));

/** Those that had to make way for others of their millisecond may be ahead by so much (ms). */
const mostAheadMs = 1000;

/** Whether a rank is of a message accepted at `at` (ms since 1970). */
export const isRankAt = (rank: number, at: number): boolean => {
  const ahead = Math.floor((rank - firstRankAt(at)) / perMs);
  return ahead >= 0 && ahead <= mostAheadMs;
};
