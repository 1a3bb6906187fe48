import { type Block, blockFormats } from '../shared/history/store.ts';
import { acceptedAt } from '../shared/message-text.ts';

/** One message on its way into history. */
export type ArchiveMessage = { seq: number; streamId: string; text: string };

/** A block ends at this many messages or characters, so that a page never has to read much more than it shows. */
const mostMessages = 500;
const mostLength = 256 * 1024;

/** Cuts consecutive seqs of one conversation into blocks. */
export function toBlocks(conversation: string, messages: ArchiveMessage[]): Block[] {
  const blocks: Block[] = [];
  let length = 0;
  for (const { seq, streamId, text } of messages) {
    const open = blocks.at(-1);
    length += text.length;
    if (open !== undefined && open.lastSeq === seq - 1 && open.texts.length < mostMessages && length <= mostLength) {
      open.lastSeq = seq;
      open.lastAt = acceptedAt(streamId);
      open.texts.push(text);
      continue;
    }
    const at = acceptedAt(streamId);
    blocks.push({ conversation, firstSeq: seq, lastSeq: seq, firstAt: at, lastAt: at, format: blockFormats.plain, texts: [text] });
    length = text.length;
  }
  return blocks;
}
