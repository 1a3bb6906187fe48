import type { Document } from 'mongodb';
import { blockLimits, readBlock, type StoredBlock } from '../block.ts';
import { blockFormats, type BlockRange, type HistoryReads } from '../store.ts';
import { newestAmendments } from './amendment-rows.ts';
import { type Calls, callMs, type Open } from './calls.ts';
import { blockIndexes } from './connection.ts';
import { type StoredMember, toInfo, toMember } from './rows.ts';
import type { Using } from './sessions.ts';
import { holding, lastSeqsOf, onlySkipped, placeOnly, skipsOf } from './skips.ts';

const findBlocks = async ({ blocks }: Open, filter: Document, options: Document, using: Using) =>
  (
    await blocks
      .find<StoredBlock>(filter, { projection: { _id: 0 }, promoteBuffers: true, ...options, ...using() })
      .toArray()
  ).map(readBlock);

export const createReads = ({ read, readBehindBarrier }: Calls): HistoryReads => ({
  newestBlock: (conversation) =>
    read(
      callMs.page,
      async (open, using) =>
        (await findBlocks(open, { conversation }, { sort: { lastSeq: -1, firstSeq: 1 }, limit: 1 }, using))[0] ?? null,
    ),

  async blocks(conversation, fromSeq, toSeq, order, limit) {
    if (limit < 1) return [];
    const options = { sort: { firstSeq: order === 'oldest' ? 1 : -1 }, limit, hint: blockIndexes.byPlace };
    return read(callMs.page, (open, using) => findBlocks(open, holding(conversation, fromSeq, toSeq), options, using));
  },

  blocksSince: (conversation, since, afterSeq, limit) =>
    readBehindBarrier((open, using) =>
      findBlocks(
        open,
        {
          conversation,
          firstSeq: { $gt: afterSeq - blockLimits.messages },
          lastSeq: { $gt: afterSeq },
          lastAt: { $gte: since },
        },
        { sort: { firstSeq: 1 }, limit, hint: blockIndexes.byPlace },
        using,
      ),
    ),

  blocksAround: (at, limit) =>
    read(callMs.look, async ({ blocks }, using) => {
      const options = { projection: { ...placeOnly, firstAt: 1 }, sort: { lastAt: 1 }, limit, ...using() } as const;
      const looked = await blocks.find<BlockRange & { firstAt: number }>({ lastAt: { $gte: at } }, options).toArray();
      return looked.filter(({ firstAt }) => firstAt <= at).map(({ firstAt: _, ...range }) => range);
    }),

  keptFrom: (conversation) =>
    read(callMs.page, async ({ blocks }, using) => {
      const options = {
        projection: { _id: 0, firstSeq: 1, lastSeq: 1, format: 1 },
        sort: { firstSeq: 1 },
        ...using(),
      } as const;
      const first = await blocks.findOne<{ firstSeq: number; lastSeq: number; format: number }>(
        { conversation },
        options,
      );
      if (first === null) return 1;
      return first.format === blockFormats.stub ? first.lastSeq + 1 : first.firstSeq;
    }),

  lastSeqs: (conversations) => readBehindBarrier((open, using) => lastSeqsOf(open, conversations, using)),

  conversation: (id) =>
    readBehindBarrier(async (open, using) => {
      // The last seq first: each read is at least as new as the one before, and no row is missing that belongs to
      // this number.
      const lastSeq = (await lastSeqsOf(open, [id], using)).get(id) ?? 0;
      const info = await open.conversations.findOne({ _id: id }, using());
      if (!info) return null;
      const projection = { _id: 0, conversation: 1, user: 1, spans: 1, version: 1 } as const;
      const members = await open.members
        .find<StoredMember>({ conversation: id }, { projection, sort: { user: 1 }, ...using() })
        .toArray();
      const recorded = await skipsOf(open, { conversation: id }, using);
      return {
        info: toInfo(info),
        members: members.map(toMember),
        skips: await onlySkipped(open, recorded, using),
        recorded,
        lastSeq,
        amendSeq: (await newestAmendments(open, [id], using)).get(id) ?? 0,
      };
    }),

  conversationIds: (after, limit) =>
    readBehindBarrier(async ({ conversations }, using) => {
      const options = { projection: { _id: 1 }, sort: { _id: 1 }, limit, ...using() } as const;
      return (await conversations.find({ _id: { $gt: after } }, options).toArray()).map(({ _id }) => String(_id));
    }),

  conversationsOf: (user, after, limit) =>
    readBehindBarrier(async (open, using) => {
      const projection = { _id: 0, conversation: 1, user: 1, spans: 1, version: 1 } as const;
      const rows = await open.members
        .find<StoredMember>(
          { user, conversation: { $gt: after } },
          { projection, sort: { conversation: 1 }, limit, ...using() },
        )
        .toArray();
      const ids = rows.map(({ conversation }) => conversation);
      const lastSeqs = await lastSeqsOf(open, ids, using);
      const amendSeqs = await newestAmendments(open, ids, using);
      const skips = Map.groupBy(
        await onlySkipped(open, await skipsOf(open, { conversation: { $in: ids } }, using), using),
        ({ conversation }) => conversation,
      );
      return rows.map((row) => ({
        member: toMember(row),
        lastSeq: lastSeqs.get(row.conversation) ?? 0,
        amendSeq: amendSeqs.get(row.conversation) ?? 0,
        skips: skips.get(row.conversation) ?? [],
      }));
    }),
});
