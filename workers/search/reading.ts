import { type Block, blockFormats, type HistoryStore } from '../../shared/history/store.ts';
import { amendedText, type Amendment, amendmentKind } from '../../shared/model/amendment.ts';
import { parseMessage } from '../../shared/model/message-text.ts';
import type { Message } from '../../shared/model/model.ts';
import type { Piece } from '../../shared/search/search-index.ts';
import { isIndexedKind, searchableText } from '../../shared/search/searchable.ts';
import { wallMs } from '../../shared/timing/clocks.ts';

/** What the follower reads of history. */
export type ReadHistory = Pick<HistoryStore, 'blocks' | 'conversation' | 'keptFrom' | 'amendments'>;

/** Two archives that wrote at once may have left overlapping blocks. */
const blocksOfOneSeq = 4;
/**
 * A hole that history does not record may be of a read that lacks recent writes (HistoryStore). It is passed over once
 * what comes after it is this old (ms).
 */
const holeRestsMs = 600_000;

type Amended = Message & { amended?: { amendSeq?: number } };

/** Reads conversations for the index. */
export function createReading(history: ReadHistory, kinds: readonly string[], now = wallMs) {
  /** Adds what a text says now to a piece. */
  function take(piece: Piece, seq: number, text: string, amendment: Amendment | undefined): void {
    if (!isIndexedKind(kindOf(text), kinds)) return;
    const message = parseMessage(amendment === undefined ? text : amendedText(text, amendment)) as Amended;
    const version = message.amended?.amendSeq ?? 0;
    const searchable = searchableText(message, kinds);
    const { at, sender, kind } = message;
    if (searchable !== '') piece.docs.push({ seq, at, sender, kind, version, text: searchable });
    else if (version > 0) piece.gone.push(seq);
  }

  const amendmentsOf = async (conversation: string, fromSeq: number, toSeq: number): Promise<Map<number, Amendment>> =>
    new Map((await history.amendments(conversation, fromSeq, toSeq)).map((one) => [one.seq, one]));

  async function textOf(conversation: string, seq: number): Promise<string | undefined> {
    const blocks = await history.blocks(conversation, seq, seq, 'oldest', blocksOfOneSeq);
    const block = blocks.find(({ firstSeq, texts }) => texts[seq - firstSeq] !== undefined);
    return block?.texts[seq - block.firstSeq];
  }

  /** Adds a single message, as it is now. */
  async function takeAgain(piece: Piece, seq: number): Promise<void> {
    const text = await textOf(piece.conversation, seq);
    if (text === undefined) piece.gone.push(seq);
    else take(piece, seq, text, (await amendmentsOf(piece.conversation, seq, seq)).get(seq));
  }

  /** Whether the seqs before a block are known to hold nothing, or to have been missing for long. */
  async function isPassable({ conversation, firstSeq, firstAt }: Block, fromSeq: number): Promise<boolean> {
    if (firstAt < now() - holeRestsMs) return true;
    const kept = await history.keptFrom(conversation);
    const skips = (await history.conversation(conversation))?.skips ?? [];
    for (let seq = Math.max(fromSeq, kept); seq < firstSeq;) {
      const skip = skips.find(({ fromSeq: from, toSeq: to }) => from <= seq && seq <= to);
      if (skip === undefined) return false;
      seq = skip.toSeq + 1;
    }
    return true;
  }

  return {
    /**
     * What comes after a seq, as it is now, of at most so many blocks; null if nothing does. An amendment has the
     * message that it amends read once more. So one pass over a conversation covers edits and recalls, in whatever
     * order things are read.
     */
    async after(conversation: string, indexedTo: number, mostBlocks: number): Promise<Piece | null> {
      const found = await history.blocks(conversation, indexedTo + 1, Number.MAX_SAFE_INTEGER, 'oldest', mostBlocks);
      const texts = new Map<number, string>();
      let end = indexedTo;
      for (const block of found) {
        if (block.firstSeq > end + 1 && !(await isPassable(block, end + 1))) break;
        for (let seq = Math.max(block.firstSeq, end + 1); seq <= block.lastSeq; seq++) {
          const text = block.format === blockFormats.stub ? undefined : block.texts[seq - block.firstSeq];
          if (text !== undefined) texts.set(seq, text);
        }
        end = Math.max(end, block.lastSeq);
      }
      if (end === indexedTo) return null;
      const piece: Piece = { conversation, docs: [], gone: [], indexedFrom: indexedTo, indexedTo: end };
      // After the texts: an amendment that is stored in between lies above them, and is met later.
      const amendments = await amendmentsOf(conversation, indexedTo + 1, end);
      const targets = new Set<number>();
      for (const [seq, text] of texts) {
        take(piece, seq, text, amendments.get(seq));
        const target = targetOf(text);
        if (target !== null && target <= indexedTo) targets.add(target);
      }
      for (const seq of targets) await takeAgain(piece, seq);
      return piece;
    },

    /** One message that came into history below newer ones, or the message that it amends. */
    async one(conversation: string, seq: number): Promise<Piece> {
      const piece: Piece = { conversation, docs: [], gone: [], indexedFrom: 0, indexedTo: 0 };
      await takeAgain(piece, targetOf((await textOf(conversation, seq)) ?? '') ?? seq);
      return piece;
    },
  };
}

export type Reading = ReturnType<typeof createReading>;

const kindField = '"kind":"';

/**
 * Without parsing: what stands before the kind are ids and numbers. Most messages of some deployments are not indexed.
 */
function kindOf(text: string): string {
  const at = text.indexOf(kindField) + kindField.length;
  return text.slice(at, text.indexOf('"', at));
}

/** The seq of the message that an amendment amends; null: the text is of no amendment. */
function targetOf(text: string): number | null {
  if (kindOf(text) !== amendmentKind) return null;
  const { seq } = parseMessage(text).body as { seq?: unknown };
  return typeof seq === 'number' ? seq : null;
}
