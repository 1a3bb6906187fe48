import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { type Block, blockFormats, type BlockRange, type BlockRevision } from './store.ts';

/**
 * What a block may hold. Reads of ranges rely on `messages`: a block that covers a seq begins less than this below it,
 * so a store looks no further down. `characters` keeps a block well below the 16 MB that MongoDB takes.
 */
export const blockLimits = { messages: 1000, characters: 4_000_000 } as const;

/** Nothing that was packed here unpacks to more: a character takes at most three bytes. */
const mostUnpackedBytes = 3 * blockLimits.characters;

/** Without a checksum most packs of which a bit has changed unpack all the same, to other texts. */
const packing = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };

/** The texts of a block as a store keeps them: text as it is, bytes when packed. */
export type StoredTexts = string | Uint8Array;

/** A block as stores keep it. One that was written before there were revisions may have none. */
export type StoredBlock = Omit<Block, 'texts' | 'rev'> & { texts: StoredTexts; rev?: number };

const placeOf = ({ conversation, firstSeq, lastSeq }: Pick<Block, 'conversation' | 'firstSeq' | 'lastSeq'>): string =>
  `block ${conversation} ${firstSeq}-${lastSeq}`;

/** A block of one message. `at`: when it was accepted (ms since 1970). */
export const blockOfOne = (conversation: string, seq: number, at: number, text: string): Block => ({
  conversation,
  firstSeq: seq,
  lastSeq: seq,
  firstAt: at,
  lastAt: at,
  format: blockFormats.plain,
  rev: 0,
  texts: [text],
});

/**
 * The texts of a block in one piece, by its format. Message texts are JSON and hold no raw line end, so '\n' separates
 * them.
 */
export function joinTexts(block: Block): StoredTexts {
  const { firstSeq, lastSeq, format, texts } = block;
  const at = placeOf(block);
  if (format !== blockFormats.plain && format !== blockFormats.packed)
    throw new Error(`${at}: cannot write format ${format}`);
  if (!Number.isSafeInteger(firstSeq) || !Number.isSafeInteger(lastSeq) || firstSeq < 1 || lastSeq < firstSeq)
    throw new Error(`${at}: not a range of seqs`);
  if (texts.length !== lastSeq - firstSeq + 1) throw new Error(`${at}: ${texts.length} texts for its seqs`);
  if (texts.length > blockLimits.messages) throw new Error(`${at}: more than ${blockLimits.messages} messages`);
  if (texts.some((text) => text.includes('\n'))) throw new Error(`${at}: a text holds a raw line end`);
  const joined = texts.join('\n');
  if (joined.length > blockLimits.characters) throw new Error(`${at}: more than ${blockLimits.characters} characters`);
  return format === blockFormats.packed ? zstdCompressSync(joined, packing) : joined;
}

const isSameRange = (a: BlockRange, b: BlockRange): boolean =>
  a.conversation === b.conversation && a.firstSeq === b.firstSeq && a.lastSeq === b.lastSeq;

/** Throws unless the block has the range that it is written under. */
export function checkRewrite(range: BlockRange, block: Block): void {
  if (!isSameRange(range, block)) throw new Error(`${placeOf(block)}: not the block that it is written for`);
}

/**
 * Throws unless a merged block begins where the first of the blocks does that it is for, holds all of their seqs, and
 * has a revision by which nobody takes it for one of them.
 */
export function checkMerge(ranges: readonly BlockRevision[], merged: Block): void {
  const fits =
    ranges.length > 0 &&
    ranges[0]!.firstSeq === merged.firstSeq &&
    ranges.every(
      (range) =>
        range.conversation === merged.conversation &&
        range.firstSeq >= merged.firstSeq &&
        range.lastSeq <= merged.lastSeq &&
        range.rev <= merged.rev - (isSameRange(range, merged) ? 1 : 0),
    );
  if (!fits) throw new Error(`${placeOf(merged)}: not a merger of the blocks that it is for`);
}

function unpack(stored: StoredBlock): string {
  const { format, texts } = stored;
  if (format === blockFormats.plain && typeof texts === 'string') return texts;
  if (format !== blockFormats.packed || typeof texts === 'string')
    throw new Error(`${placeOf(stored)}: unknown format ${format}`);
  try {
    return zstdDecompressSync(texts, { maxOutputLength: mostUnpackedBytes }).toString();
  } catch (error) {
    throw new Error(`${placeOf(stored)}: cannot be unpacked`, { cause: error });
  }
}

/** Refuses what it does not know and what does not add up, rather than give wrong texts to a reader. */
export function readBlock(stored: StoredBlock): Block {
  const { conversation, firstSeq, lastSeq, firstAt, lastAt, format, rev = 0 } = stored;
  const columns = { conversation, firstSeq, lastSeq, firstAt, lastAt, format, rev };
  if (format === blockFormats.stub || format === blockFormats.cold) return { ...columns, texts: [] };
  const texts = unpack(stored).split('\n');
  if (texts.length !== lastSeq - firstSeq + 1) throw new Error(`${placeOf(stored)}: holds ${texts.length} texts`);
  return { ...columns, texts };
}
