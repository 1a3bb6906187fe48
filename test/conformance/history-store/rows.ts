import type { ArchiveWrite, Block, Deployment, Loss, MemberRow } from '../../../shared/history/store.ts';
import type { ConversationInfo } from '../../../shared/model/model.ts';

/** Short forms of what the cases write. */

export const write = (part: Partial<ArchiveWrite>): ArchiveWrite => ({
  progress: null,
  conversations: [],
  members: [],
  skips: [],
  amendments: [],
  blocks: [],
  ...part,
});

export const text = (conversation: string, seq: number, mark = ''): string =>
  JSON.stringify({ conversation, seq, mark });

/** A block of the seqs given; message n of a conversation is accepted at n * 1000. */
export const block = (conversation: string, firstSeq: number, lastSeq: number, mark = ''): Block => ({
  conversation,
  firstSeq,
  lastSeq,
  firstAt: firstSeq * 1000,
  lastAt: lastSeq * 1000,
  format: 1,
  rev: 0,
  texts: Array.from({ length: lastSeq - firstSeq + 1 }, (_, index) => text(conversation, firstSeq + index, mark)),
});

export const group = (id: string, version = 1, name: string | null = null): ConversationInfo => ({
  id,
  kind: 'group',
  name,
  createdAt: 1_732_000_000_000,
  service: false,
  users: null,
  historyDays: null,
  version,
});

export const member = (
  conversation: string,
  user: string,
  version = 1,
  spans = [{ joined: 0, left: null }] as MemberRow['spans'],
): MemberRow => ({
  conversation,
  user,
  spans,
  version,
});

export const deployment = (epoch: string, generation = 1, ...losses: Loss[]): Deployment => ({
  epoch,
  generation,
  partitions: 4,
  inboxShards: 64,
  opened: losses.length === 0,
  formats: 2,
  losses,
});

export const loss = (generation: number, lostSince: number): Loss => ({
  epoch: `e${generation}`,
  generation,
  lostSince,
});

export const ranges = (blocks: Block[]): string =>
  blocks.map(({ firstSeq, lastSeq }) => `${firstSeq}-${lastSeq}`).join(' ');

/** What retention looks at, the oldest first: c 1-2, d 1-3, c 3-4, c 5-6. */
export const toExpire = write({
  conversations: [group('c')],
  blocks: [block('c', 1, 2), { ...block('c', 3, 4), format: 2 }, block('c', 5, 6), block('d', 1, 3)],
});
