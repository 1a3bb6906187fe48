import type { Collection, Document } from 'mongodb';
import { blockLimits } from '../block.ts';
import { notHeld } from '../skips.ts';
import type { BlockRange, SkipRow } from '../store.ts';
import { blockIndexes, type Connected, type Row } from './connection.ts';
import type { Using } from './sessions.ts';

/** Skips compared with blocks, and the last seq that both give a conversation. */

/** Maximum skips that are compared with blocks in one query. */
const skipsAtOnce = 100;

export const placeOnly = { _id: 0, conversation: 1, firstSeq: 1, lastSeq: 1 } as const;

export const chunks = <T>(all: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, index) => all.slice(index * size, (index + 1) * size));

/** A filter for blocks that hold any seq of a range. */
export const holding = (conversation: string, fromSeq: number, toSeq: number): Document => ({
  conversation,
  firstSeq: { $gt: fromSeq - blockLimits.messages, $lte: toSeq },
  lastSeq: { $gte: fromSeq },
});

/** Resolves skips without the seqs that blocks hold. */
export async function onlySkipped({ blocks }: Connected, skips: SkipRow[], using: Using): Promise<SkipRow[]> {
  const left: SkipRow[] = [];
  for (const some of chunks(skips, skipsAtOnce)) {
    const places = { $or: some.map(({ conversation, fromSeq, toSeq }) => holding(conversation, fromSeq, toSeq)) };
    const held = await blocks.find<BlockRange>(places, { projection: placeOnly, ...using() }).toArray();
    left.push(
      ...notHeld(
        some,
        held.toSorted((a, b) => a.firstSeq - b.firstSeq),
      ),
    );
  }
  return left;
}

export const skipsOf = ({ skips }: Connected, filter: Document, using: Using): Promise<SkipRow[]> =>
  skips
    .find<SkipRow>(filter, {
      projection: { _id: 0, conversation: 1, fromSeq: 1, toSeq: 1 },
      sort: { conversation: 1, fromSeq: 1 },
      ...using(),
    })
    .toArray();

/** Resolves the highest seq of the blocks and skips of each conversation. Reads only indexes. */
export async function lastSeqsOf(
  { blocks, skips }: Connected,
  conversations: string[],
  using: Using,
): Promise<Map<string, number>> {
  const last = async (collection: Collection<Row>, ...stages: Document[]): Promise<{ _id: string; seq: number }[]> =>
    collection
      .aggregate<{ _id: string; seq: number }>(
        [{ $match: { conversation: { $in: conversations } } }, ...stages],
        using(),
      )
      .toArray();
  const ofBlocks = await last(
    blocks,
    { $sort: blockIndexes.byEnd },
    { $group: { _id: '$conversation', seq: { $first: '$lastSeq' } } },
  );
  const ofSkips = await last(skips, { $group: { _id: '$conversation', seq: { $max: '$toSeq' } } });
  const found = new Map(ofBlocks.map(({ _id, seq }) => [_id, seq]));
  for (const { _id, seq } of ofSkips) found.set(_id, Math.max(seq, found.get(_id) ?? 0));
  return found;
}
