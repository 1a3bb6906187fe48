import type { ConversationInfo } from '../client/api.ts';
import type { ConversationRow } from '../storage/storage.ts';

export const infoOf = (row: ConversationRow): ConversationInfo => ({
  id: row.id,
  kind: row.id.startsWith('d_') ? 'direct' : 'group',
  name: row.name ?? null,
  ...(row.peer === undefined ? {} : { peer: row.peer }),
  unread: row.unread,
  readSeq: row.readSeq,
  lastSeq: row.lastSeq,
  last: row.last,
});
