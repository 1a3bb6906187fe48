import type { Found, IndexState, Question } from './search-index.ts';

/** What a gateway asks a process of the line `search`, as JSON. */
export type SearchCall = { type: 'ask'; question: Question } | { type: 'state' };

/** How far an index is known to be behind history (ms), and whether it is being made again. */
export type Freshness = { behindMs: number; rebuilding: boolean };

/** What an operator sees of an index. */
export type SearchState = Omit<IndexState, 'currentAt'> & Freshness & { host: string; process: string };

export type SearchAnswer =
  | ({ type: 'found' } & Found & Freshness)
  | { type: 'state'; state: SearchState }
  /** Ask somebody else. */
  | { type: 'failed'; reason: string };

/** An index is said to be behind from here on (ms). */
export const behindFromMs = 60_000;

/** Whether clients are told that messages may be missing. */
export const isIndexing = ({ behindMs, rebuilding }: Freshness): boolean => rebuilding || behindMs > behindFromMs;
