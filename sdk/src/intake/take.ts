import { summaryOf } from '../storage/index-row.ts';
import { bytesOf } from '../storage/message-size.ts';
import { settled, withAmendment, withMessage } from '../storage/row.ts';
import type { ConversationRow, Stretch } from '../storage/storage.ts';
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

export type DirectId = (one: string, other: string) => string;

export type TakeOptions = {
  /** Own messages do not count as unread. */
  user: string | null;
  /** The id of the direct conversation of two users. Without it, only the server names the other user. */
  direct?: DirectId | undefined;
  /** It came live: the server's number of unread messages does not include it. */
  counts: boolean;
};

const stretchOf = ({ conversation, seq }: Message): Stretch => ({ conversation, fromSeq: seq, toSeq: seq });

const inRow = (row: ConversationRow, message: Message): ConversationRow =>
  row.last?.seq === message.seq ? { ...row, last: message } : row;

type Counted = Pick<ConversationRow, 'unread' | 'readSeq'>;

/** `unread` with one message more: only what is new, shown, of somebody else, and above what was read. */
function counted(row: ConversationRow, message: Message, { user, counts }: TakeOptions): Counted {
  const { seq, sender } = message;
  if (sender === user) return seq >= row.lastSeq ? { readSeq: Math.max(row.readSeq, seq), unread: 0 } : row;
  const adds = counts && !isQuiet(message) && !isRecalled(message) && seq > row.readSeq && seq > row.countedSeq;
  return adds ? { readSeq: row.readSeq, unread: row.unread + 1 } : row;
}

/** The other user of a direct conversation, from what they say: a back end may speak in any name. */
function withPeer(row: ConversationRow, { sender }: Message, { user, direct }: TakeOptions): ConversationRow {
  if (row.peer !== undefined || user === null || sender === user || !row.id.startsWith('d_')) return row;
  return direct?.(user, sender) === row.id ? { ...row, peer: sender } : row;
}

/** A line of the index whose message was recalled or edited says nothing old. */
async function amendIndex(transaction: Transaction, id: string, { seq, action, body }: Amendment): Promise<void> {
  const found = await transaction.index(id, seq);
  if (found === undefined || (action === 'edit' && body === undefined)) return;
  transaction.setIndex({ ...found, summary: action === 'recall' ? '' : summaryOf(body) });
}

async function amend(transaction: Transaction, row: ConversationRow, amendment: Amendment, options: TakeOptions) {
  if (!holds(row.present, amendment.seq)) {
    if (holds(row.indexed, amendment.seq)) await amendIndex(transaction, row.id, amendment);
    return { row: withAmendment(row, amendment) };
  }
  const target = await transaction.message(row.id, amendment.seq);
  if (target === undefined) return { row };
  const amended = underAmendment(target, amendment);
  if (amended === target) return { row };
  transaction.setMessage(amended);
  const recalled = isRecalled(amended) && !isRecalled(target) && amended.sender !== options.user;
  const unread = recalled && amended.seq > row.readSeq ? Math.max(0, row.unread - 1) : row.unread;
  const bytes = row.bytes + bytesOf(amended) - bytesOf(target);
  return { row: { ...inRow(row, amended), unread, bytes }, amended };
}

/** A message of a seq that is here replaces it if the id differs; otherwise the text with the newer amendment stays. */
async function takeAgain(transaction: Transaction, row: ConversationRow, given: Message): Promise<Taken> {
  const before = await transaction.message(given.conversation, given.seq);
  const message = before === undefined ? given : inForce(before, given);
  if (message !== before) {
    transaction.setMessage(message);
    const bytes = row.bytes + bytesOf(message) - (before === undefined ? 0 : bytesOf(before));
    transaction.setRow({ ...inRow(row, message), bytes });
  }
  return { message, first: false };
}

async function takeAmendment(
  transaction: Transaction,
  row: ConversationRow,
  message: Message,
  amendment: Amendment,
  options: TakeOptions,
): Promise<Taken> {
  const result = await amend(transaction, row, amendment, options);
  transaction.setRow(settled(row, result.row));
  return { message, first: true, ...(result.amended === undefined ? {} : { amended: result.amended }) };
}

/**
 * Takes a message into the storage, whichever way it came. `row` is the row of its conversation in the transaction.
 * Most messages are new and no amendments: then nothing is read, and nothing is waited for.
 *
 * Must hold: a seq is present only if its message is written in the same transaction.
 */
export function takeMessage(
  transaction: Transaction,
  row: ConversationRow,
  given: Message,
  options: TakeOptions,
): Taken | Promise<Taken> {
  const { seq } = given;
  if (holds(row.present, seq)) return takeAgain(transaction, row, given);
  const message =
    row.amendments.length === 0
      ? given
      : row.amendments.reduce((text, one) => (one.seq === seq ? underAmendment(text, one) : text), given);
  transaction.setMessage(message);
  if (holds(row.indexed, seq)) transaction.dropIndex(stretchOf(given));
  const next = withPeer(withMessage(row, message, counted(row, message, options)), message, options);
  const amendment = amendmentOf(message);
  if (amendment !== null) return takeAmendment(transaction, next, message, amendment, options);
  transaction.setRow(next);
  return { message, first: true };
}
