import { blockLimits, blockOfOne } from '../../shared/history/block.ts';
import { type Block, blockFormats } from '../../shared/history/store.ts';
import type { TextRun } from '../../shared/redis/conversations/recent.ts';

/** A message on its way into history. `at`: ms since 1970. */
export type ArchiveMessage = { seq: number; streamId: string; at: number; text: string };

/** A block ends at this many messages or characters, so that a page never reads much more than it shows. */
const plainLimits = { messages: 500, length: 256 * 1024 };
/** In a surge blocks are as long as they may be, for the fewest calls. */
const packedLimits = { messages: blockLimits.messages, length: 1024 * 1024 };
/** Fewer are not worth packing. */
const leastPacked = 8;

/** Cuts consecutive seqs of one conversation into blocks; `packed`: into long ones, compressed. */
export function toBlocks(conversation: string, messages: ArchiveMessage[], packed = false): Block[] {
  const most = packed ? packedLimits : plainLimits;
  const blocks: Block[] = [];
  let length = 0;
  for (const { seq, at, text } of messages) {
    const open = blocks.at(-1);
    length += text.length;
    if (open !== undefined && open.lastSeq === seq - 1 && open.texts.length < most.messages && length <= most.length) {
      open.lastSeq = seq;
      open.firstAt = Math.min(open.firstAt, at);
      open.lastAt = Math.max(open.lastAt, at);
      open.texts.push(text);
      continue;
    }
    blocks.push(blockOfOne(conversation, seq, at, text));
    length = text.length;
  }
  if (packed) for (const block of blocks) if (block.texts.length >= leastPacked) block.format = blockFormats.packed;
  return blocks;
}

/** The texts of the last blocks that follow each other without a hole, as one run; none if there is no block. */
export function lastRun(conversation: string, blocks: readonly Block[]): TextRun[] {
  const end = blocks.at(-1);
  if (end === undefined) return [];
  let first = blocks.length - 1;
  while (first > 0 && blocks[first - 1]!.lastSeq === blocks[first]!.firstSeq - 1) first--;
  return [
    { conversation, firstSeq: blocks[first]!.firstSeq, texts: blocks.slice(first).flatMap(({ texts }) => texts) },
  ];
}
