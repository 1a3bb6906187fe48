import { withGap } from '../storage/row.ts';
import type { Transaction } from '../storage/writer.ts';
import type { Unread } from '../wire.ts';
import { readMessage } from './read-frames.ts';

/**
 * Takes the server's numbers of unread messages. `known` are the rows that have some: those that a complete summary
 * does not name have been read elsewhere. In lazy delivery nothing else announces what came meanwhile: `announces`.
 */
export async function takeSummary(
  transaction: Transaction,
  summary: Unread,
  known: string[],
  announces: boolean,
): Promise<void> {
  const named = new Set<string>();
  for (const one of summary.conversations) {
    if (typeof one?.conversation !== 'string') continue;
    named.add(one.conversation);
    const row = await transaction.row(one.conversation);
    const last = readMessage(one.last);
    const next = {
      ...row,
      unread: one.unread,
      countedSeq: Math.max(row.countedSeq, one.lastSeq),
      readSeq: Math.max(row.readSeq, one.readSeq),
      ...(one.peer === undefined ? {} : { peer: one.peer }),
      ...(one.name === undefined ? {} : { name: one.name }),
      ...(last === null || last.seq < (row.last?.seq ?? 0) ? {} : { last, at: last.at }),
    };
    const from = (row.present.at(-1)?.toSeq ?? 0) + 1;
    const isNew = announces && one.lastSeq >= from;
    transaction.setRow(isNew ? withGap(next, { fromSeq: from, toSeq: one.lastSeq }) : next);
  }
  if (summary.more) return;
  for (const id of known) {
    if (named.has(id)) continue;
    const row = await transaction.row(id);
    transaction.setRow({ ...row, unread: 0, readSeq: Math.max(row.readSeq, row.lastSeq) });
  }
}
