import type { AnyBulkWriteOperation } from 'mongodb';
import type { Amendment } from '../../model/amendment.ts';
import type { AmendmentRows } from '../amendment-rows.ts';
import { type Calls, callMs } from './calls.ts';
import type { Connected, Row } from './connection.ts';
import type { Using } from './sessions.ts';

const withoutMark = { _id: 0, baked: 0 } as const;

/** Takes the place of the stored row of the message if that is of an older amendment, or is not there. */
export function amendmentUpsert({ conversation, seq, ...row }: Amendment): AnyBulkWriteOperation<Row> {
  const isNewer = { $lt: [{ $ifNull: ['$amendSeq', -1] }, row.amendSeq] };
  const newer = { $mergeObjects: ['$$ROOT', { $literal: { conversation, seq, ...row, baked: 0 } }] };
  const update = [{ $replaceWith: { $cond: [isNewer, newer, '$$ROOT'] } }];
  return { updateOne: { filter: { conversation, seq }, update, upsert: true } };
}

/** The highest seq of an amendment in each of these conversations. One that has none is not in it. */
export async function newestAmendments(
  { amendments }: Connected,
  conversations: string[],
  using: Using,
): Promise<Map<string, number>> {
  const found = await amendments
    .aggregate<{ _id: string; amendSeq: number }>(
      [
        { $match: { conversation: { $in: conversations } } },
        { $sort: { conversation: 1, amendSeq: -1 } },
        { $group: { _id: '$conversation', amendSeq: { $first: '$amendSeq' } } },
      ],
      using(),
    )
    .toArray();
  return new Map(found.map(({ _id, amendSeq }) => [_id, amendSeq]));
}

/** Removes the rows of messages of which nothing is left, within a transaction of the caller's. */
export async function dropAmendments(
  { blocks, amendments }: Connected,
  conversations: string[],
  using: Using,
): Promise<void> {
  const ofThem = [{ $match: { conversation: { $in: conversations } } }, { $group: { _id: '$conversation' } }];
  const amended = await amendments.aggregate<{ _id: string }>(ofThem, using()).toArray();
  for (const { _id: conversation } of amended) {
    const options = { projection: { _id: 0, firstSeq: 1, lastSeq: 1, lastAt: 1 }, sort: { firstSeq: 1 } } as const;
    const first = await blocks.findOne<{ firstSeq: number; lastSeq: number; lastAt: number }>(
      { conversation },
      { ...options, ...using() },
    );
    if (first === null) continue;
    // A stub has no texts, and no times.
    const keptFrom = first.lastAt === 0 ? first.lastSeq + 1 : first.firstSeq;
    await amendments.deleteMany({ conversation, seq: { $lt: keptFrom } }, using());
  }
}

export const createAmendmentRows = ({ call, read, readBehindBarrier }: Calls): AmendmentRows => ({
  // Whoever finds no row serves the body that was sent.
  amendments: (conversation, fromSeq, toSeq) =>
    readBehindBarrier(({ amendments }, using) =>
      amendments
        .find<Amendment>(
          { conversation, seq: { $gte: fromSeq, $lte: toSeq } },
          { projection: withoutMark, sort: { seq: 1 }, ...using() },
        )
        .toArray(),
    ),

  amendmentsBy: (conversation, fromSeq, toSeq) =>
    readBehindBarrier(({ amendments }, using) =>
      amendments
        .find<Amendment>(
          { conversation, amendSeq: { $gte: fromSeq, $lte: toSeq } },
          { projection: withoutMark, sort: { amendSeq: 1 }, ...using() },
        )
        .toArray(),
    ),

  newestAmendment: (conversation) =>
    readBehindBarrier(
      async (open, using) => (await newestAmendments(open, [conversation], using)).get(conversation) ?? 0,
    ),

  toBake: (since, before, limit) =>
    read(callMs.look, ({ amendments }, using) =>
      amendments
        .find<Amendment>(
          { baked: 0, at: { $gte: since, $lt: before } },
          { projection: withoutMark, sort: { at: 1 }, limit, ...using() },
        )
        .toArray(),
    ),

  async markBaked(marked) {
    if (marked.length === 0) return;
    const marks = marked.map(({ conversation, seq, amendSeq }) => ({
      updateOne: { filter: { conversation, seq, amendSeq }, update: { $set: { baked: 1 } } },
    }));
    await call(callMs.write, ({ amendments }) => amendments.bulkWrite(marks, { ordered: false }));
  },
});
