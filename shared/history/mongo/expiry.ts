import type { AnyBulkWriteOperation } from 'mongodb';
import { blockFormats, type BlockRange } from '../store.ts';
import { dropAmendments } from './amendment-rows.ts';
import { blockIndexes, type Connected, type Row } from './connection.ts';
import type { Using } from './sessions.ts';

/** What retention does to blocks, within a transaction of the caller's. */

/** The blocks that end before a moment, oldest first, without those that were set apart. */
export function oldest({ blocks }: Connected, before: number, limit: number, using: Using): Promise<BlockRange[]> {
  const options = {
    projection: { _id: 0, conversation: 1, firstSeq: 1, lastSeq: 1 },
    sort: { lastAt: 1 },
    limit,
    ...using(),
  } as const;
  return blocks.find<BlockRange>({ lastAt: { $gt: 0, $lt: before }, apart: null }, options).toArray();
}

/** Of the first `limit` blocks of a conversation, those that end before a moment. */
export async function oldestOf(
  { blocks }: Connected,
  conversation: string,
  before: number,
  limit: number,
  using: Using,
): Promise<BlockRange[]> {
  const projection = { _id: 0, conversation: 1, firstSeq: 1, lastSeq: 1, lastAt: 1 } as const;
  const options = { projection, sort: { firstSeq: 1 }, limit, hint: blockIndexes.byPlace, ...using() } as const;
  const first = await blocks.find<BlockRange & { lastAt: number }>({ conversation }, options).toArray();
  return first.filter(({ lastAt }) => lastAt > 0 && lastAt < before);
}

/**
 * The newest block of each of these conversations: the one that ends with the highest seq; of two that end alike, the
 * longer one.
 */
async function newestOf(
  { blocks }: Connected,
  conversations: string[],
  using: Using,
): Promise<Map<string, BlockRange>> {
  const found = await blocks
    .aggregate<{ _id: string; firstSeq: number; lastSeq: number }>(
      [
        { $match: { conversation: { $in: conversations } } },
        { $sort: { conversation: 1, lastSeq: -1, firstSeq: 1 } },
        { $group: { _id: '$conversation', firstSeq: { $first: '$firstSeq' }, lastSeq: { $first: '$lastSeq' } } },
      ],
      using(),
    )
    .toArray();
  return new Map(found.map(({ _id, firstSeq, lastSeq }) => [_id, { conversation: _id, firstSeq, lastSeq }]));
}

/** Removes blocks. The newest of a conversation stays as a stub; a stub goes once something behind it goes. */
export async function remove(connected: Connected, expired: BlockRange[], using: Using): Promise<void> {
  if (expired.length === 0) return;
  const byConversation = Map.groupBy(expired, ({ conversation }) => conversation);
  const newest = await newestOf(connected, [...byConversation.keys()], using);
  const operations: AnyBulkWriteOperation<Row>[] = [];
  for (const [conversation, ranges] of byConversation) {
    const end = Math.max(...ranges.map(({ lastSeq }) => lastSeq));
    operations.push({ deleteMany: { filter: { conversation, lastSeq: { $lt: end }, format: blockFormats.stub } } });
    for (const { firstSeq, lastSeq } of ranges) {
      const filter = { conversation, firstSeq, lastSeq };
      const last = newest.get(conversation);
      const stays = last?.firstSeq === firstSeq && last.lastSeq === lastSeq;
      const stub = { $set: { format: blockFormats.stub, texts: '', firstAt: 0, lastAt: 0 } };
      operations.push(stays ? { updateOne: { filter, update: stub } } : { deleteOne: { filter } });
    }
  }
  await connected.blocks.bulkWrite(operations, using());
  await dropAmendments(connected, [...byConversation.keys()], using);
}

/**
 * Sets the blocks apart whose conversations have days of their own, and resolves the others. The rows of these
 * conversations are written too: so it does not commit beside a write by which one loses its days, and none is left
 * apart.
 */
export async function setApart(
  { blocks, conversations }: Connected,
  looked: BlockRange[],
  using: Using,
): Promise<BlockRange[]> {
  if (looked.length === 0) return [];
  const ids = [...new Set(looked.map(({ conversation }) => conversation))];
  const found = await conversations
    .find({ _id: { $in: ids }, historyDays: { $gte: 0 } }, { projection: { _id: 1 }, ...using() })
    .toArray();
  const own = new Set(found.map(({ _id }) => String(_id)));
  if (own.size === 0) return looked;
  await conversations.updateMany({ _id: { $in: [...own] } }, { $inc: { setApart: 1 } }, using());
  const apart = looked.filter(({ conversation }) => own.has(conversation));
  await blocks.bulkWrite(
    apart.map(({ conversation, firstSeq, lastSeq }) => ({
      updateOne: { filter: { conversation, firstSeq, lastSeq }, update: { $set: { apart: conversation } } },
    })),
    using(),
  );
  return looked.filter(({ conversation }) => !own.has(conversation));
}

/**
 * The blocks of a conversation without days of its own are met by the walk over all that is old. They were set apart by
 * its id.
 */
export async function bringTogether({ blocks }: Connected, conversation: string, using: Using): Promise<void> {
  await blocks.updateMany({ conversation, apart: conversation }, { $unset: { apart: '' } }, using());
}
