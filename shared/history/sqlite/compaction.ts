import { checkMerge, checkRewrite, joinTexts } from '../block.ts';
import { blockFormats, type BlockRange, type Compaction, type OwnDays } from '../store.ts';
import type { Statements } from './database.ts';
import { holdsTexts, type Placed, type PlacedBlocks } from './placed-blocks.ts';

/** `followed`: it is not the newest block of its conversation (sql.ts). */
type Expired = BlockRange & Pick<Placed, 'format' | 'textId'> & { followed: 0 | 1 };

export function createCompaction(statements: Statements, placed: PlacedBlocks): Compaction {
  const { read, write, row, rows, transaction } = statements;
  const expire = ({ conversation, firstSeq, lastSeq, format, textId, followed }: Expired): void => {
    placed.dropTexts({ format, textId });
    write.dropStubs.run({ conversation, lastSeq });
    if (followed === 1) write.dropBlock.run({ conversation, firstSeq, lastSeq });
    else write.stub.run({ conversation, firstSeq, lastSeq });
  };
  const expireAll = (blocks: Expired[]): void => {
    for (const block of blocks) expire(block);
    for (const conversation of new Set(blocks.map((block) => block.conversation))) {
      const keptFrom = row<{ seq: number }>(read.keptFrom, { conversation })!.seq;
      write.dropAmendments.run({ conversation, keptFrom });
    }
  };

  return {
    async changedSince(since, limit) {
      const changed = rows<{ conversation: string; lastAt: number }>(read.changedSince, { since, limit });
      return {
        conversations: [...new Set(changed.map(({ conversation }) => conversation))],
        until: changed.at(-1)?.lastAt ?? null,
      };
    },

    async ranges(conversation, fromSeq, limit) {
      return rows<BlockRange>(read.ranges, { conversation, fromSeq, limit });
    },

    async replaceBlocks(blocks, merged) {
      checkMerge(blocks, merged);
      const texts = joinTexts(merged);
      return transaction(() => {
        const found = blocks.map(placed.findRevision);
        if (found.includes(null) || !holdsTexts(found[0]!)) return false;
        for (const block of blocks) placed.drop(block);
        placed.insert([{ block: merged, texts }]);
        return true;
      });
    },

    async rewriteBlock(range, rev, block) {
      checkRewrite(range, block);
      const isCold = block.format === blockFormats.cold;
      const texts = isCold ? null : joinTexts(block);
      return transaction(() => {
        const stored = placed.findRevision({ ...range, rev });
        if (stored === null || (isCold ? stored.format !== blockFormats.cold : !holdsTexts(stored))) return false;
        placed.rewrite(block, stored, texts);
        return true;
      });
    },

    async expireBlocks(before, limit) {
      return transaction(() => {
        const looked = rows<Expired & { own: 0 | 1 }>(read.expired, { before, limit });
        const expired = looked.filter(({ own }) => own === 0);
        for (const { conversation, firstSeq, lastSeq, own } of looked)
          if (own === 1) write.setApart.run({ conversation, firstSeq, lastSeq });
        expireAll(expired);
        return { looked: looked.length, removed: expired.length };
      });
    },

    async expireBlocksOf(conversation, before, limit) {
      const find = (): Expired[] => rows<Expired>(read.expiredOf, { conversation, before, limit });
      // Usually there is nothing. Checking first avoids waiting for the writes of other processes.
      if (find().length === 0) return 0;
      return transaction(() => {
        const expired = find();
        expireAll(expired);
        return expired.length;
      });
    },

    async ownDays(after, limit) {
      return rows<OwnDays>(read.ownDays, { ...after, limit });
    },

    async warmBlocks(since, before, limit) {
      const looked = rows<BlockRange & { lastAt: number; format: number }>(read.warm, { since, before, limit });
      const ranges = looked
        .filter(holdsTexts)
        .map(({ conversation, firstSeq, lastSeq }) => ({ conversation, firstSeq, lastSeq }));
      return { ranges, until: looked.at(-1)?.lastAt ?? null };
    },

    async makeCold({ conversation, firstSeq, lastSeq, rev }) {
      return transaction(() => {
        const stored = placed.findRevision({ conversation, firstSeq, lastSeq, rev });
        if (stored === null || !holdsTexts(stored)) return false;
        placed.dropTexts(stored);
        write.cold.run({ conversation, firstSeq, lastSeq });
        return true;
      });
    },

    async stateOf(range) {
      const found = placed.find(range);
      return found && { format: found.format, rev: found.rev };
    },
  };
}
