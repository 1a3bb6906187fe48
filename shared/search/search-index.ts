import type { Query } from './query.ts';

/**
 * The contract of a search index: which messages hold which terms. It holds no texts that anybody is shown. Whatever it
 * answers is read again from history, so an index that is behind or wrong can miss messages and never leak one. All of
 * it can be made again from history.
 *
 * One process writes, by a lease. Every call that writes names its owner and resolves false, with nothing changed, if
 * another one has the lease by now.
 *
 * While it is made again there are two: the `live` one, which answers, and the `next` one.
 */
export type Target = 'live' | 'next';

/** A message that can be found. */
export type SearchDoc = {
  seq: number;
  /** When it was accepted (ms since 1970). */
  at: number;
  sender: string;
  kind: string;
  /** The seq of the amendment that the text is of; 0: the message as it was sent. */
  version: number;
  text: string;
};

/** What was read of a conversation. */
export type Piece = {
  conversation: string;
  docs: SearchDoc[];
  /** Seqs under which nothing is to be found. */
  gone: number[];
  /**
   * It has everything after `indexedFrom`, up to `indexedTo`. The conversation's place only moves if it is at
   * `indexedFrom` or further: the live index may have been replaced since the place was read.
   */
  indexedFrom: number;
  indexedTo: number;
};

/** How far a conversation is indexed. Below `floor` everything was removed from the index. */
export type Place = { indexedTo: number; floor: number };

export type Question = {
  query: Query;
  /** Only in these; null: in all. */
  conversations: string[] | null;
  sender: string | null;
  kind: string | null;
  /** Accepted at `since` or later, and before `until` (ms since 1970). */
  since: number;
  until: number;
  /** Where the page before ended; null: none was. */
  after: number | null;
  limit: number;
};

/** `rank`: its place in the order of all messages. It rises with the time of acceptance. */
export type Hit = { conversation: string; seq: number; rank: number };

/** The newest first. `next`: where to go on, null after the last one. A page may hold few hits, or none, and go on. */
export type Found = { hits: Hit[]; next: number | null };

export type IndexState = {
  /** Everything that was in history at this moment is indexed (ms since 1970 by the clock of this host); 0: unknown. */
  currentAt: number;
  /** Whether the live index is being replaced. */
  rebuilding: boolean;
  /** The owner of the lease; '' if nobody has it now. */
  owner: string;
  docs: number;
  conversations: number;
  bytes: number;
  /** Rises when a rebuild is complete. */
  generation: number;
  /** Conversations in the index that a rebuild makes. */
  rebuilt: number;
};

export type SearchReads = {
  ask(question: Question): Promise<Found>;
  /** Cheap: for every answer. */
  freshness(): Promise<Pick<IndexState, 'currentAt' | 'rebuilding'>>;
  state(): Promise<IndexState>;
};

export type SearchWrites = {
  /**
   * Takes the lease, or keeps it, for some seconds. `currentAt` is noted if it is not null. `recipe` says by which
   * rules documents are made: a live index of another one is made again. Resolves whether the lease is held, and
   * whether there is a `next` index now.
   */
  hold(owner: string, recipe: string, currentAt: number | null): Promise<{ held: boolean; rebuilding: boolean }>;
  release(owner: string): Promise<void>;

  /** How far these conversations are indexed; one of which nothing is known is not among them. */
  places(target: Target, conversations: string[]): Promise<Map<string, Place>>;
  /** Writes what was read of conversations, in one step. Repeating it changes nothing. */
  write(owner: string, target: Target, pieces: Piece[]): Promise<boolean>;
  /**
   * Removes what is below a seq, some thousands a call. Resolves whether there may be more; null: the lease is lost.
   */
  removeBelow(owner: string, target: Target, conversation: string, seq: number): Promise<boolean | null>;
  /** Forgets a conversation: it is to be read from its beginning. Some thousands of documents a call, as above. */
  forget(owner: string, target: Target, conversation: string): Promise<boolean | null>;

  /** Begins a `next` index, from nothing. */
  beginRebuild(owner: string, recipe: string): Promise<boolean>;
  /**
   * Makes the `next` index the live one, which has everything that was in history at `currentAt`. What the old one took
   * is free for what comes.
   */
  endRebuild(owner: string, currentAt: number): Promise<boolean>;
  /** A bit of work that keeps questions fast. Resolves whether there is more. */
  tidy(owner: string): Promise<boolean>;
};

export type SearchIndex = SearchReads & SearchWrites & { close(): Promise<void> };
