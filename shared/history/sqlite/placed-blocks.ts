import type { StoredTexts } from '../block.ts';
import { type Block, blockFormats, type BlockOutcome, type BlockRange, type BlockRevision } from '../store.ts';
import type { Statements } from './database.ts';

/** Where the texts of a stored block are: in `texts` or `packs`, depending on its format. */
export type Placed = { format: number; rev: number; textId: number };

export const holdsTexts = ({ format }: { format: number }): boolean =>
  format !== blockFormats.stub && format !== blockFormats.cold;

/** Writes blocks together with their texts, and removes them. Call within a transaction. */
export function createPlacedBlocks({ read, write, row }: Statements) {
  function dropTexts({ format, textId }: Pick<Placed, 'format' | 'textId'>): void {
    if (format === blockFormats.plain) write.dropText.run(textId);
    if (format === blockFormats.packed) write.dropPack.run(textId);
  }

  const find = ({ conversation, firstSeq, lastSeq }: BlockRange): Placed | null =>
    row<Placed>(read.placed, { conversation, firstSeq, lastSeq });

  return {
    dropTexts,
    find,

    /** The block if it is stored with this range and revision; null otherwise. */
    findRevision(block: BlockRevision): Placed | null {
      const placed = find(block);
      return placed?.rev === block.rev ? placed : null;
    },

    insert(blocks: { block: Block; texts: StoredTexts }[]): BlockOutcome[] {
      const next = { text: 0, pack: 0 };
      return blocks.map(({ block: { texts: _, ...columns }, texts }) => {
        const kind = typeof texts === 'string' ? 'text' : 'pack';
        next[kind] ||= row<{ id: number }>(kind === 'text' ? read.nextTextId : read.nextPackId)?.id ?? 1;
        if (write.block.run({ ...columns, textId: next[kind] }).changes === 0) return 'taken';
        write[kind].run(next[kind]++, texts);
        return 'stored';
      });
    },

    /** Puts other texts into the place of those of a block, or only raises its revision: `texts` null. */
    rewrite({ conversation, firstSeq, lastSeq, format }: Block, placed: Placed, texts: StoredTexts | null): void {
      dropTexts(placed);
      const kind = typeof texts === 'string' ? 'text' : 'pack';
      const textId = texts === null ? 0 : row<{ id: number }>(kind === 'text' ? read.nextTextId : read.nextPackId)!.id;
      if (texts !== null) write[kind].run(textId, texts);
      write.rewrite.run({ conversation, firstSeq, lastSeq, format, textId });
    },

    drop({ conversation, firstSeq, lastSeq }: BlockRange): void {
      const placed = find({ conversation, firstSeq, lastSeq });
      if (placed === null) return;
      write.dropBlock.run({ conversation, firstSeq, lastSeq });
      dropTexts(placed);
    },
  };
}

export type PlacedBlocks = ReturnType<typeof createPlacedBlocks>;
