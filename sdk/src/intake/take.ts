import { directConversation } from '../direct-conversation.ts';
import { settled, withAmendment, withMessage } from '../storage/row.ts';
import type { ConversationRow } from '../storage/storage.ts';
import type { Transaction } from '../storage/writer.ts';
import type { Message } from '../wire.ts';
import { amendmentOf, inForce, isQuiet, isRecalled, underAmendment, type Amendment } from './amended.ts';
import { holds } from './ranges.ts';

export type Taken = {
  /** With the text in force. */
  message: Message;
  /** It was not here before. */
  first: boolean;
  /** The message that it amends, if that is here. */
  amended?: Message;
};

export type TakeOptions = {
  /** Own messages do not count as unread. */
  user: string | null;
  /** It came live: the server's number of unread messages does not include it. */
  counts: boolean;
};

const inRow = (row: ConversationRow, message: Message): ConversationRow =>
  row.last?.seq === message.seq ? { ...row, last: message } : row;

/** `unread` with one message more: only what is new, shown, of somebody else, and above what was read. */
function counted(row: ConversationRow, message: Message, { user, counts }: TakeOptions): ConversationRow {
  const { seq, sender } = message;
  if (sender === user) return seq >= row.lastSeq ? { ...row, readSeq: Math.max(row.readSeq, seq), unread: 0 } : row;
  const adds = counts && !isQuiet(message) && !isRecalled(message) && seq > row.readSeq && seq > row.countedSeq;
  return adds ? { ...row, unread: row.unread + 1 } : row;
}

/** The other user of a direct conversation, from what they say: a back end may speak in any name. */
function withPeer(row: ConversationRow, { sender }: Message, user: string | null): ConversationRow {
  if (row.peer !== undefined || user === null || sender === user || !row.id.startsWith('d_')) return row;
  return directConversation(user, sender) === row.id ? { ...row, peer: sender } : row;
}

async function amend(transaction: Transaction, row: ConversationRow, amendment: Amendment, options: TakeOptions) {
  if (!holds(row.present, amendment.seq)) return { row: withAmendment(row, amendment) };
  const target = await transaction.message(row.id, amendment.seq);
  if (target === undefined) return { row };
  const amended = underAmendment(target, amendment);
  if (amended === target) return { row };
  transaction.setMessage(amended);
  const recalled = isRecalled(amended) && !isRecalled(target) && amended.sender !== options.user;
  const unread = recalled && amended.seq > row.readSeq ? Math.max(0, row.unread - 1) : row.unread;
  return { row: { ...inRow(row, amended), unread }, amended };
}

/**
 * Takes a message into the storage, whichever way it came.
 *
 * Must hold: a seq is present only if its message is written in the same transaction. A message of a seq that is here
 * replaces it if the id differs; otherwise the text with the newer amendment stays.
 */
export async function takeMessage(transaction: Transaction, given: Message, options: TakeOptions): Promise<Taken> {
  let row = await transaction.row(given.conversation);
  if (holds(row.present, given.seq)) {
    const before = await transaction.message(given.conversation, given.seq);
    const message = before === undefined ? given : inForce(before, given);
    if (message !== before) {
      transaction.setMessage(message);
      transaction.setRow(inRow(row, message));
    }
    return { message, first: false };
  }
  const message = row.amendments.filter(({ seq }) => seq === given.seq).reduce(underAmendment, given);
  transaction.setMessage(message);
  row = withPeer(withMessage(counted(row, message, options), message), message, options.user);
  row = { ...row, amendments: row.amendments.filter(({ seq }) => seq !== given.seq) };
  const amendment = amendmentOf(message);
  if (amendment === null) {
    transaction.setRow(row);
    return { message, first: true };
  }
  const result = await amend(transaction, row, amendment, options);
  transaction.setRow(settled(row, result.row));
  return { message, first: true, ...(result.amended === undefined ? {} : { amended: result.amended }) };
}
