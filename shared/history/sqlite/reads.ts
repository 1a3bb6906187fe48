import { readBlock, type StoredBlock } from '../block.ts';
import type { BlockRange, HistoryReads, SkipRow } from '../store.ts';
import type { Statements } from './database.ts';
import { type StoredConversationRow, type StoredMember, toInfo, toMember } from './rows.ts';
import { onlySkipped } from './skips.ts';

export function createReads(statements: Statements): HistoryReads {
  const { read, row, rows, consistently } = statements;
  const skipsOf = (conversation: string): SkipRow[] => rows<SkipRow>(read.skips, { conversation });

  return {
    async newestBlock(conversation) {
      const stored = row<StoredBlock>(read.newestBlock, { conversation });
      return stored && readBlock(stored);
    },

    async blocks(conversation, fromSeq, toSeq, order, limit) {
      const statement = order === 'oldest' ? read.oldestBlocks : read.newestBlocks;
      return rows<StoredBlock>(statement, { conversation, fromSeq, toSeq, limit }).map(readBlock);
    },

    async blocksSince(conversation, since, afterSeq, limit) {
      return rows<StoredBlock>(read.blocksSince, { conversation, since, afterSeq, limit }).map(readBlock);
    },

    async blocksAround(at, limit) {
      const looked = rows<BlockRange & { firstAt: number; lastAt: number }>(read.endingFrom, { at, limit });
      return looked.filter(({ firstAt }) => firstAt <= at).map(({ firstAt: _, lastAt: __, ...range }) => range);
    },

    async keptFrom(conversation) {
      return row<{ seq: number }>(read.keptFrom, { conversation })?.seq ?? 1;
    },

    async lastSeqs(conversations) {
      const found = conversations.map(
        (conversation) => [conversation, row<{ lastSeq: number }>(read.lastSeqOf, { conversation })!.lastSeq] as const,
      );
      return new Map(found.filter(([, seq]) => seq > 0));
    },

    async conversation(id) {
      return consistently(() => {
        const stored = row<StoredConversationRow>(read.conversation, { conversation: id });
        if (!stored) return null;
        const members = rows<StoredMember>(read.members, { conversation: id }).map(toMember);
        const recorded = skipsOf(id);
        return {
          info: toInfo(stored),
          members,
          skips: onlySkipped(statements, recorded),
          recorded,
          lastSeq: stored.lastSeq,
          amendSeq: stored.amendSeq,
        };
      });
    },

    async conversationIds(after, limit) {
      return rows<{ id: string }>(read.conversationIds, { after, limit }).map(({ id }) => id);
    },

    async conversationsOf(user, after, limit) {
      return consistently(() =>
        rows<StoredMember & { lastSeq: number; amendSeq: number }>(read.conversationsOf, { user, after, limit }).map(
          ({ lastSeq, amendSeq, ...member }) => ({
            member: toMember(member),
            lastSeq,
            amendSeq,
            skips: onlySkipped(statements, skipsOf(member.conversation)),
          }),
        ),
      );
    },
  };
}
