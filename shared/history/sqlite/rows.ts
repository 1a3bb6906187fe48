import type { ConversationInfo, ConversationKind } from '../../model/model.ts';
import { decodeSpans } from '../../model/spans.ts';
import type { MemberRow } from '../store.ts';

/** Rows of SQLite as the types of the history. */

export type StoredConversationRow = {
  id: string;
  kind: ConversationKind;
  name: string | null;
  createdAt: number;
  service: 0 | 1;
  userA: string | null;
  userB: string | null;
  version: number;
  historyDays: number | null;
  creator: string | null;
  lastSeq: number;
  amendSeq: number;
};
export type StoredMember = Omit<MemberRow, 'spans'> & { spans: string };

export const toInfo = (row: StoredConversationRow): ConversationInfo => ({
  id: row.id,
  kind: row.kind,
  name: row.name,
  createdAt: row.createdAt,
  service: row.service === 1,
  users: row.userA !== null && row.userB !== null ? [row.userA, row.userB] : null,
  historyDays: row.historyDays,
  ...(row.creator === null ? {} : { creator: row.creator }),
  version: row.version,
});

export const toMember = ({ conversation, user, spans, version }: StoredMember): MemberRow => ({
  conversation,
  user,
  spans: decodeSpans(spans),
  version,
});
