import { checkMerge, joinTexts } from '../block.ts';
import type { BlockRange, Compaction, OwnDays } from '../store.ts';
import type { Statements } from './database.ts';
import { holdsTexts, type Placed, type PlacedBlocks } from './placed-blocks.ts';

/** `followed`: it is not the newest block of its conversation (sql.ts). */
type Expired = BlockRange & Placed & { followed: 0 | 1 };

export function createCompaction(statements: Statements, placed: PlacedBlocks): Compaction {
  const { read, write, row, rows, transaction } = statements;
  const expire = ({ conversation, firstSeq, lastSeq, format, textId, followed }: Expired): void => {
    placed.dropTexts({ format, textId });
    write.dropStubs.run({ conversation, lastSeq });
    if (followed === 1) write.dropBlock.run({ conversation, firstSeq, lastSeq });
    else write.stub.run({ conversation, firstSeq, lastSeq });
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

    async replaceBlocks(ranges, merged) {
      checkMerge(ranges, merged);
      const texts = joinTexts(merged);
      return transaction(() => {
        const { conversation, firstSeq, lastSeq } = ranges[0]!;
        const first = row<Placed>(read.placed, { conversation, firstSeq, lastSeq });
        if (first === null || !holdsTexts(first)) return false;
        for (const range of ranges) placed.drop(range);
        placed.insert([{ block: merged, texts }]);
        return true;
      });
    },

    async expireBlocks(before, limit) {
      return transaction(() => {
        const looked = rows<Expired & { own: 0 | 1 }>(read.expired, { before, limit });
        const expired = looked.filter(({ own }) => own === 0);
        for (const { conversation, firstSeq, lastSeq, own } of looked)
          if (own === 1) write.setApart.run({ conversation, firstSeq, lastSeq });
        for (const block of expired) expire(block);
        return { looked: looked.length, removed: expired.length };
      });
    },

    async expireBlocksOf(conversation, before, limit) {
      const find = (): Expired[] => rows<Expired>(read.expiredOf, { conversation, before, limit });
      // Usually there is nothing. Checking first avoids waiting for the writes of other processes.
      if (find().length === 0) return 0;
      return transaction(() => {
        const expired = find();
        for (const block of expired) expire(block);
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

    async makeCold({ conversation, firstSeq, lastSeq }) {
      return transaction(() => {
        const stored = row<Placed>(read.placed, { conversation, firstSeq, lastSeq });
        if (stored === null || !holdsTexts(stored)) return false;
        placed.dropTexts(stored);
        write.cold.run({ conversation, firstSeq, lastSeq });
        return true;
      });
    },

    async formatOf({ conversation, firstSeq, lastSeq }) {
      return row<Placed>(read.placed, { conversation, firstSeq, lastSeq })?.format ?? null;
    },
  };
}
