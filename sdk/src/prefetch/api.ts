import type { Clock } from '../platform/clock.ts';
import type { Quality } from '../quality/estimate.ts';
import type { ConversationRow } from '../storage/storage.ts';

/** What is known of a conversation when it is ranked. */
export type Candidate = {
  id: string;
  /** When its newest message was sent, by whom ever. */
  at: number;
  unread: number;
  readSeq: number;
  lastSeq: number;
};

/** A score for each candidate: the highest are fetched first. `now` is the server's time. */
export type Rank = (candidates: readonly Candidate[], now: number) => readonly number[];

export type PrefetchReport = {
  /** Pages that were asked for, and the bytes of their messages. */
  asked: number;
  bytes: number;
  /** Conversations that were opened since the first page, and those of them whose page had been fetched. */
  opened: number;
  hits: number;
  /** Pages whose conversation was not opened within a day. */
  wasted: number;
};

/** A client, as its prefetching sees it. */
export type PrefetchParts = {
  clock: Clock;
  /** The server's time. */
  now(): number;
  rows(): readonly ConversationRow[];
  quality(): Quality;
  /** Reads the newest messages of a conversation into the storage. Resolves with their bytes. */
  fetch(id: string, limit: number): Promise<number>;
  fault(error: Error, where: string): void;
};

export type Prefetching = {
  /** The backlog was read to its end. */
  synced(): void;
  /** The connection has ended. */
  pause(): void;
  /** Somebody looks at a conversation. */
  opened(id: string): void;
  report(): PrefetchReport;
};

export type Prefetch = (parts: PrefetchParts) => Prefetching;
