import type { Clock } from '../platform/clock.ts';
import { holesOf, settled, withAbsent } from '../storage/row.ts';
import type { ConversationRow } from '../storage/storage.ts';
import type { Writer } from '../storage/writer.ts';
import type { Frame, HistoryPage, SeqRange, Target } from '../wire.ts';
import { difference, missingIn } from './ranges.ts';
import { readHistory } from './read-frames.ts';
import { takeMessage, type DirectId, type Taken } from './take.ts';

export type HistoryQuery = { before?: number; after?: number; limit?: number };

export type HistoryReadingOptions = {
  writer: Writer;
  insist(frame: () => Frame): Promise<Frame>;
  user(): string | null;
  direct?: DirectId | undefined;
  /** The messages of a page are stored, by rising seq. `row` is as it was then. Resolves when they are handed out. */
  stored(taken: Taken[], row: ConversationRow): Promise<void>;
  pageItems(): number;
  clock: Clock;
  /** So many messages were missing in a range, and have come. */
  filled?(conversation: string, messages: number, ms: number): void;
  fault(error: Error, where: string): void;
};

const everything = Number.MAX_SAFE_INTEGER;
/** The most messages that the server gives in a page. */
const pageMost = 100;

/** What a page speaks about: up to its last message, and to the end if there is no more. */
function coveredBy({ messages, more }: HistoryPage, { before, after }: HistoryQuery): SeqRange {
  const seqs = messages.map(({ seq }) => seq);
  if (after !== undefined) return { fromSeq: after + 1, toSeq: more ? Math.max(after, ...seqs) : everything };
  const top = (before ?? everything) - 1;
  return { fromSeq: more ? Math.min(top + 1, ...seqs) : 1, toSeq: top };
}

export type HistoryReading = {
  /** A page into the storage. Resolves when it is stored; rejects with a final Refusal. */
  read(id: string, target: Target, query: HistoryQuery): Promise<HistoryPage>;
  /**
   * Reads what is missing of a range, page by page. Seqs that history does not give either are passed over. A hole that
   * reaches below the range is read from above: if it is one of a loss, its whole length is known then.
   */
  fill(id: string, target: Target, range: SeqRange): Promise<void>;
};

export function createHistoryReading(options: HistoryReadingOptions): HistoryReading {
  const { writer, insist, user, direct, stored, fault } = options;

  const read = async (id: string, target: Target, query: HistoryQuery): Promise<HistoryPage> => {
    const within = { fromSeq: (query.after ?? 0) + 1, toSeq: (query.before ?? everything) - 1 };
    const frame = await insist(() => ({ type: 'history', ...target, ...query }));
    const page = readHistory(frame, id, within, fault);
    page.messages.sort((one, other) => one.seq - other.seq);
    const covered = coveredBy(page, query);
    const taken: Taken[] = [];
    let row: ConversationRow;
    await new Promise<void>((resolve) =>
      writer.change({
        rows: page.messages.length + 1,
        async run(transaction) {
          taken.length = 0;
          for (const message of page.messages) {
            const found = await transaction.row(id);
            taken.push(await takeMessage(transaction, found, message, { user: user(), direct, counts: false }));
          }
          const before = await transaction.row(id);
          const { absent } = page;
          const lastSeq = Math.max(before.lastSeq, absent.at(-1)?.toSeq ?? 0);
          const told = withAbsent({ ...before, lastSeq }, absent);
          row = settled(before, { ...told, stale: difference(told.stale, [covered]) });
          transaction.setRow(row);
        },
        stored: () => void stored(taken, row).then(resolve),
      }),
    );
    return page;
  };

  const fill = async (id: string, target: Target, range: SeqRange): Promise<void> => {
    const since = options.clock.now();
    let messages = 0;
    let { fromSeq } = range;
    let isFirst = true;
    while (fromSeq <= range.toSeq) {
      const row = await writer.row(id);
      const missing = difference(missingIn({ ...range, fromSeq }, row.present), row.absent)[0];
      if (missing === undefined) break;
      const limit = Math.min(pageMost, options.pageItems(), missing.toSeq - missing.fromSeq + 1);
      const reachesBelow = isFirst && holesOf(row).some((hole) => hole.fromSeq < fromSeq && fromSeq <= hole.toSeq);
      const query = reachesBelow ? { before: missing.toSeq + 1, limit } : { after: missing.fromSeq - 1, limit };
      isFirst = false;
      const page = await read(id, target, query);
      messages += page.messages.length;
      // What is left of it is read as if it began here.
      if (reachesBelow) continue;
      const { toSeq } = coveredBy(page, query);
      // A page that says nothing new must not be asked for again.
      fromSeq = Math.max(missing.fromSeq, toSeq) + 1;
    }
    if (messages > 0) options.filled?.(id, messages, options.clock.now() - since);
  };

  return { read, fill };
}
