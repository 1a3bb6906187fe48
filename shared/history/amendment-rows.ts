import type { Amendment } from '../model/amendment.ts';

/**
 * The rows of amendments: for each amended message the newest amendment, with its body. What readers lay over the texts
 * of blocks. A row goes with its message (Compaction.expireBlocks).
 *
 * _Must hold:_ rows only move forward by `amendSeq`. So the body of an older amendment vanishes when a newer one is
 * written, and what is written again changes nothing.
 */
export type AmendmentRows = {
  /**
   * The amendments of messages in [fromSeq, toSeq], in rising order of seq. That a row is missing proves that the
   * message was not amended: every amendment is found whose write had resolved before, from any process.
   */
  amendments(conversation: string, fromSeq: number, toSeq: number): Promise<Amendment[]>;

  /**
   * The amendments in force whose own seq is in [fromSeq, toSeq], in rising order of it. What the range holds of other
   * amendments is superseded.
   */
  amendmentsBy(conversation: string, fromSeq: number, toSeq: number): Promise<Amendment[]>;

  /** The highest seq of an amendment that is in force in a conversation; 0: there is none. */
  newestAmendment(conversation: string): Promise<number>;

  /**
   * Amendments made at `since` or later and before `before` (ms since 1970) that blocks do not have yet, in rising
   * order of time, at most `limit`.
   */
  toBake(since: number, before: number, limit: number): Promise<Amendment[]>;

  /**
   * Says that blocks hold these amendments. A row that has become newer meanwhile is left alone. The rows stay: a block
   * that was read before may still be written.
   */
  markBaked(rows: readonly Pick<Amendment, 'conversation' | 'seq' | 'amendSeq'>[]): Promise<void>;
};
