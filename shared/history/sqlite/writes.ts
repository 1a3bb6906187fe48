import type { ConversationInfo } from '../../model/model.ts';
import { encodeSpans } from '../../model/spans.ts';
import { joinTexts } from '../block.ts';
import { EpochOver, mustHaveProgress } from '../epoch-over.ts';
import type { ArchiveWrites, Progress } from '../store.ts';
import type { Statements } from './database.ts';
import type { PlacedBlocks } from './placed-blocks.ts';
import { onlySkipped } from './skips.ts';

export function createWrites(statements: Statements, placed: PlacedBlocks): ArchiveWrites {
  const { read, write, row, rows, transaction } = statements;
  const hasOwnDays = (conversation: string): boolean =>
    (row<{ historyDays: number | null }>(read.daysOf, { conversation })?.historyDays ?? null) !== null;
  const writeConversation = ({ users, service, ...info }: ConversationInfo): void => {
    const hadOwnDays = hasOwnDays(info.id);
    write.conversation.run({
      ...info,
      creator: info.creator ?? null,
      service: Number(service),
      userA: users?.[0] ?? null,
      userB: users?.[1] ?? null,
    });
    if (hadOwnDays && !hasOwnDays(info.id)) write.together.run({ conversation: info.id });
  };

  const isOver = (epoch: string): boolean => (row<{ epoch: string }>(read.epoch)?.epoch ?? epoch) !== epoch;

  return {
    async write({ progress, epoch, conversations, members, skips, settings = [], amendments, blocks }) {
      mustHaveProgress({ epoch, progress });
      const joined = blocks.map((block) => ({ block, texts: joinTexts(block) }));
      return transaction(() => {
        if (epoch !== undefined && isOver(epoch)) throw new EpochOver(epoch);
        if (progress) write.progress.run(progress);
        for (const info of conversations) writeConversation(info);
        for (const member of members) write.member.run({ ...member, spans: encodeSpans(member.spans) });
        for (const skip of onlySkipped(statements, skips)) write.skip.run(skip);
        for (const amendment of amendments) write.amendment.run(amendment);
        for (const setting of settings) write.setting.run(setting);
        return placed.insert(joined);
      });
    },

    async progress() {
      return rows<Progress>(read.progress);
    },
  };
}
