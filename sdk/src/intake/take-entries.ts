import { withGap } from '../storage/row.ts';
import type { ConversationRow } from '../storage/storage.ts';
import type { Transaction } from '../storage/writer.ts';
import type { Entry } from './read-frames.ts';
import { takeMessage, type DirectId, type Taken } from './take.ts';

/** Messages of a conversation that came together, where its order began, and the row as it was stored with them. */
export type Arrived = { taken: Taken[]; before: number; row: ConversationRow };

export type TakeEntriesOptions = {
  user: string | null;
  direct?: DirectId | undefined;
  /** Whether a message of this position is not in the server's number of unread messages. */
  counts(position: number | undefined): boolean;
};

/** What was highest before a message came, or what a gap directly below it covers, is where the order begins. */
const beginning = ({ present, gaps }: ConversationRow, seq: number): number =>
  present.at(-1)?.toSeq ?? (gaps.at(-1)?.toSeq === seq - 1 ? gaps.at(-1)!.fromSeq - 1 : seq - 1);

/** Takes items and gaps that came together. Returns the messages by conversation, each with its row after all. */
export async function takeEntries(
  transaction: Transaction,
  entries: Entry[],
  { user, direct, counts }: TakeEntriesOptions,
): Promise<Map<string, Arrived>> {
  const arrived = new Map<string, Arrived>();
  const uncounted = { user, direct, counts: false };
  const counted = { ...uncounted, counts: true };
  for (const entry of entries) {
    if ('gap' in entry) {
      transaction.setRow(withGap(await transaction.row(entry.gap.conversation), entry.gap));
      continue;
    }
    const { message, position } = entry.item;
    const { conversation: id, seq } = message;
    const row = transaction.known(id) ?? (await transaction.row(id));
    const found = takeMessage(transaction, row, message, counts(position) ? counted : uncounted);
    // Most are taken at once: waiting would cost each of them a turn.
    const taken = found instanceof Promise ? await found : found;
    const before = arrived.get(id);
    if (before === undefined) arrived.set(id, { taken: [taken], before: beginning(row, seq), row });
    else before.taken.push(taken);
  }
  for (const [id, one] of arrived) one.row = await transaction.row(id);
  return arrived;
}
