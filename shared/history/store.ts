import type { Amendment } from '../model/amendment.ts';
import type { ConversationInfo, Span } from '../model/model.ts';
import type { AmendmentRows } from './amendment-rows.ts';
import type { GateRows } from './gate-rows.ts';
import type { SettingRow, SettingsRows } from './settings-rows.ts';

/**
 * The contract of the history: conversations as they are kept outside Redis. Two implementations (sqlite/, mongo/) pass
 * one conformance suite. The file is long because it is one contract.
 *
 * Guarantees that every implementation gives:
 * - A promise that resolves means the write is durable on that store's terms (SQLite: synchronous=FULL; MongoDB:
 *   w: majority, journalled). A promise that rejects means the outcome is unknown: repeat, every write is repeatable.
 * - `write` never replaces a block: one whose (conversation, firstSeq) exists is answered as `taken` and not written.
 *   Blocks are independent of each other: some may be stored and others taken.
 * - The progress of a `write` is durable before any block of the same call is visible, so it is never behind the
 *   blocks.
 * - A `write` that names an epoch is refused, and nothing of it is written, if the deployment row has another one. That
 *   is one step with the write. So once a row with the next epoch is stored, no write of an earlier one is stored any
 *   more, however long ago it was begun.
 * - Rows with a `version` only move forward: an older version changes nothing. So does progress.
 * - A skip never covers a seq that a block holds. A skip is written without the seqs of existing blocks, and
 *   seqs that blocks have come to hold since are taken out when skips are read.
 * - Reads see every write whose promise had resolved before the read began, from any process. There is one exception.
 *   In MongoDB, reads of one block or of a range (`newestBlock`, `blocks`, `keptFrom`, `ranges` and those by time) may
 *   lack recent writes of other processes for some seconds after the primary has changed. Such a read proves that
 *   something is stored, never that it is not.
 * - Message texts come back byte for byte. They are those that were sent, or have an amendment laid over them: the rows
 *   of amendments (amendment-rows.ts) say what a message reads as now.
 */

/**
 * The stored formats of a block; an unknown one is refused when read, never guessed.
 *   plain   the texts as they are: cheapest to write
 *   packed  compressed (zstd): for many messages at once
 *   stub    no texts any more: the newest block of a conversation from which retention has removed everything. It keeps
 *           the last seq; its times are 0
 *   cold    no texts here: they are in an object (cold.ts), which is named after the block's range
 */
export const blockFormats = { plain: 1, packed: 2, stub: 3, cold: 4 } as const;

/** Consecutive seqs of one conversation, stored as one row. Unique on (conversation, firstSeq). */
export type Block = {
  conversation: string;
  firstSeq: number;
  lastSeq: number;
  /** Milliseconds since 1970 of the first and the last message. */
  firstAt: number;
  lastAt: number;
  format: number;
  /**
   * The revision of its texts: 0 as the archive wrote them, and higher with each rewriting. With the same range and
   * revision a block always has the same texts.
   */
  rev: number;
  /**
   * The messages' texts (see message-text.ts) in rising order of seq; texts[i] is seq firstSeq + i. None in a stub;
   * those of a cold one come with cold.ts.
   */
  texts: string[];
};

/** Where a block lies. */
export type BlockRange = Pick<Block, 'conversation' | 'firstSeq' | 'lastSeq'>;

/** A block as somebody has read it: what a later write of it is compared with. */
export type BlockRevision = BlockRange & Pick<Block, 'rev'>;

/** A member's durable row: every span it had. */
export type MemberRow = { conversation: string; user: string; spans: Span[]; version: number };

/** A seq range that was never given to a message, recorded when state had been lost. */
export type SkipRow = { conversation: string; fromSeq: number; toSeq: number };

/** The progress of the archive in one partition. */
export type Progress = {
  partition: number;
  /** The newest stream entry id (`<ms>-<n>`) that was stored or is about to be. */
  streamId: string;
  /** Everything accepted before this moment (milliseconds since 1970) is stored. */
  completeAt: number;
};

/**
 * One write of the archive. The order is: progress, conversations, members, skips, settings, amendments, blocks. So
 * whoever sees an amendment in a block sees its row.
 */
export type ArchiveWrite = {
  progress: Progress | null;
  /**
   * The epoch in which the entries were read from Redis; it needs a progress. A write without one is of no entries, or
   * of entries that stay known whatever Redis loses.
   */
  epoch?: string | undefined;
  conversations: ConversationInfo[];
  members: MemberRow[];
  skips: SkipRow[];
  settings?: SettingRow[];
  /** Of several amendments of one message the newest stays (amendSeq). */
  amendments: Amendment[];
  blocks: Block[];
};

/** Whether each block of the call was written now (`stored`) or its place was taken before (`taken`), by index. */
export type BlockOutcome = 'stored' | 'taken';

/** Everything needed to bring a conversation back into Redis. */
export type StoredConversation = {
  info: ConversationInfo;
  members: MemberRow[];
  skips: SkipRow[];
  /** The skips as they were written, including seqs that blocks hold by now. For comparison with earlier reports. */
  recorded: SkipRow[];
  /** The highest seq of its blocks and skips; 0 when there is none. */
  lastSeq: number;
  /** The highest seq of an amendment that is in force; 0 when there is none. */
  amendSeq: number;
};

/** A conversation with days of its own that end. */
export type OwnDays = { historyDays: number; conversation: string };

/** One loss of Redis' state: the epoch and generation that began with it. */
export type Loss = {
  epoch: string;
  generation: number;
  /**
   * Messages accepted after this moment (milliseconds since 1970) may be lost; 0: nothing was archived before. Null:
   * nothing that was accepted is lost, only inboxes have lost something.
   */
  lostSince: number | null;
};

/**
 * The one row about the deployment. `generation` counts the losses; epoch and numbers are fixed by its first writer.
 */
export type Deployment = {
  epoch: string;
  generation: number;
  partitions: number;
  inboxShards: number;
  /**
   * Whether Redis was made ready for this epoch. No number is given in an epoch before that, so a process that finds it
   * unopened goes on with it.
   */
  opened: boolean;
  /**
   * The format number that the deployment is at: what needs a higher one is not written yet, and a version that reads
   * less does not start. It never falls. Rows of versions that did not keep it are at 1.
   */
  formats: number;
  /** In rising order of generation. The row of a version that did not keep them has the latest alone. */
  losses: Loss[];
};

/** What readers need: pages of messages, and what Redis has to be given back. */
export type HistoryReads = {
  /** The block with the highest lastSeq of a conversation, or null. */
  newestBlock(conversation: string): Promise<Block | null>;

  /**
   * Blocks that hold any seq of [fromSeq, toSeq], in rising ("oldest") or falling ("newest") order of firstSeq, at most
   * `limit` of them. Blocks of two archives that wrote at the same time may overlap; the reader tolerates it.
   */
  blocks(
    conversation: string,
    fromSeq: number,
    toSeq: number,
    order: 'oldest' | 'newest',
    limit: number,
  ): Promise<Block[]>;

  /**
   * Blocks with lastAt >= `since` that hold a seq above `afterSeq`, in rising order of firstSeq, at most `limit`.
   * For walking over a conversation: see walking.ts.
   */
  blocksSince(conversation: string, since: number, afterSeq: number, limit: number): Promise<Block[]>;

  /**
   * Where blocks of any conversation lie whose first and last message enclose a moment (ms since 1970), those that end
   * soonest first. Only the `limit` blocks are looked at that end soonest at the moment or later, whether they enclose
   * it or not. So the cost does not grow with the history, but a block that ends after that many others is not found.
   * For finding a message by its id alone.
   */
  blocksAround(at: number, limit: number): Promise<BlockRange[]>;

  /**
   * The first seq of a conversation whose text may be stored. Everything below was removed by retention, or lost. 1 if
   * nothing was.
   */
  keptFrom(conversation: string): Promise<number>;

  /** The highest seq of the blocks and skips of each of these conversations. One that has neither is not in it. */
  lastSeqs(conversations: string[]): Promise<Map<string, number>>;

  conversation(id: string): Promise<StoredConversation | null>;

  /** The ids of all conversations, in rising order above `after`, at most `limit`. For walking over everything. */
  conversationIds(after: string, limit: number): Promise<string[]>;

  /**
   * The conversations that a user is or was a member of, with its spans and the conversation's last seq, skips and
   * newest amendment (as `StoredConversation` has it), in rising order of conversation id above `after`, at most
   * `limit`.
   */
  conversationsOf(
    user: string,
    after: string,
    limit: number,
  ): Promise<{ member: MemberRow; lastSeq: number; amendSeq: number; skips: SkipRow[] }[]>;
};

/** What the archive needs. */
export type ArchiveWrites = {
  /** Writes all of it; the answer has one outcome for each block, in the order given. Rejects with EpochOver. */
  write(write: ArchiveWrite): Promise<BlockOutcome[]>;

  /** A partition of which nothing is stored has no row, or one at 0-0. */
  progress(): Promise<Progress[]>;
};

/** What compaction needs: merging, retention, and moving blocks into the cold store. */
export type Compaction = {
  /**
   * Conversations of which a block ends at `since` or later (ms since 1970), with the time of the last block looked at,
   * in rising order of time; at most `limit` blocks are looked at. For the compaction: what has changed is what may be
   * merged.
   */
  changedSince(since: number, limit: number): Promise<{ conversations: string[]; until: number | null }>;

  /** Where the blocks of a conversation lie that begin at `fromSeq` or later, in rising order, at most `limit`. */
  ranges(conversation: string, fromSeq: number, limit: number): Promise<BlockRange[]>;

  /**
   * Puts a merged block into the place of the blocks given, the first of which begins where it begins: compare and set.
   * Resolves false, with nothing changed, when one of them is not stored with that range and revision any more, or the
   * first is a stub or cold by now: its texts may have been rewritten meanwhile, and the merged block has older ones.
   * Rejects a block that does not hold all of the ranges, or whose revision is not above that of a block with its own
   * range, or below that of another. Every read finds every seq, before, during and after it.
   */
  replaceBlocks(blocks: BlockRevision[], merged: Block): Promise<boolean>;

  /**
   * Puts other texts into a block, and raises its revision by one: compare and set. Resolves false, with nothing
   * changed, when no block is stored with that range and revision, or only a stub, or one that is cold and `block` is
   * not, or the other way round. Of a cold block only the revision changes: its texts are in the object of the next
   * one.
   */
  rewriteBlock(range: BlockRange, rev: number, block: Block): Promise<boolean>;

  /**
   * Removes blocks that end before a moment (ms since 1970), oldest first, at most `limit` a call, with the amendments
   * of messages that are below all that is left of their conversation then. The newest block of a conversation becomes
   * a stub, so its last seq never falls, also where blocks overlap or are being merged. The newest is the one that ends
   * with the highest seq; of two that end with the same, the longer one. A block whose range has changed meanwhile is
   * left for the next call. Conversations with days of their own keep theirs: each such block is looked at once and
   * then set apart, so what is kept longer holds up no later call, until its conversation has no days of its own any
   * more. Resolves how many were looked at (0: there are none), and how many of them removed.
   */
  expireBlocks(before: number, limit: number): Promise<{ looked: number; removed: number }>;

  /**
   * The same for one conversation, whatever its days are, among the `limit` of its blocks that are the oldest. Resolves
   * how many it removed.
   */
  expireBlocksOf(conversation: string, before: number, limit: number): Promise<number>;

  /**
   * Conversations with a limited number of days of their own: above `after`, by days and then by id, at most `limit`.
   */
  ownDays(after: OwnDays, limit: number): Promise<OwnDays[]>;

  /**
   * Where blocks lie that hold texts here and end at `since` or later and before `before` (ms since 1970), with the end
   * of the last block looked at, in rising order of time; at most `limit` blocks are looked at. For moving them into
   * the cold store.
   */
  warmBlocks(since: number, before: number, limit: number): Promise<{ ranges: BlockRange[]; until: number | null }>;

  /**
   * Removes the texts of a block, which are elsewhere by now, and makes it cold: compare and set. Resolves false, with
   * nothing changed, when no block is stored with that range and revision, or one without texts. Nothing gives texts
   * again to a block that is cold, a stub or gone, under the same range: what is in the cold store of a range that has
   * become a stub or gone is needed by nobody.
   */
  makeCold(block: BlockRevision): Promise<boolean>;

  /** The format and revision of the block that is stored with exactly this range; null: there is none. */
  stateOf(range: BlockRange): Promise<Pick<Block, 'format' | 'rev'> | null>;
};

/** The one row about the deployment. */
export type DeploymentRow = {
  deployment(): Promise<Deployment | null>;

  /**
   * Writes the deployment row if the stored one's epoch is `expectedEpoch` (null: if there is none).
   * `formats` is never lower than it was stored. Answers the row that is stored afterwards, whoever wrote it.
   */
  saveDeployment(expectedEpoch: string | null, deployment: Deployment): Promise<Deployment>;
};

export type HistoryStore = HistoryReads &
  ArchiveWrites &
  Compaction &
  DeploymentRow &
  AmendmentRows &
  SettingsRows &
  GateRows & {
    /** Rejects when the store cannot be read now. */
    ping(): Promise<void>;

    close(): Promise<void>;
  };
