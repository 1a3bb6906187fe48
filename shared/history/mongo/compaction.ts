import type { Document } from 'mongodb';
import { checkMerge, checkRewrite, joinTexts } from '../block.ts';
import { type Block, blockFormats, type BlockRange, type BlockRevision, type Compaction } from '../store.ts';
import { type Calls, callMs, type Open } from './calls.ts';
import { blockIndexes } from './connection.ts';
import { oldest, oldestOf, remove, setApart } from './expiry.ts';
import type { Using } from './sessions.ts';
import { placeOnly } from './skips.ts';

const withoutTexts: number[] = [blockFormats.stub, blockFormats.cold];

type State = Pick<Block, 'format' | 'rev'>;

async function findState(
  { blocks }: Open,
  { conversation, firstSeq, lastSeq }: BlockRange,
  using: Using,
): Promise<State | null> {
  const options = { projection: { _id: 0, format: 1, rev: 1 }, ...using() } as const;
  const found = await blocks.findOne<{ format: number; rev?: number }>({ conversation, firstSeq, lastSeq }, options);
  return found && { rev: 0, ...found };
}

/** A block as it was read. One that was written before there were revisions has none. */
const revision = ({ conversation, firstSeq, lastSeq, rev }: BlockRevision): Document => ({
  conversation,
  firstSeq,
  lastSeq,
  rev: rev === 0 ? { $in: [0, null] } : rev,
});

export const createCompaction = ({ call, read, readBehindBarrier, transaction }: Calls): Compaction => ({
  changedSince: (since, limit) =>
    read(callMs.look, async ({ blocks }, using) => {
      const options = {
        projection: { _id: 0, conversation: 1, lastAt: 1 },
        sort: { lastAt: 1 },
        limit,
        ...using(),
      } as const;
      const changed = await blocks
        .find<{ conversation: string; lastAt: number }>({ lastAt: { $gte: since } }, options)
        .toArray();
      return {
        conversations: [...new Set(changed.map(({ conversation }) => conversation))],
        until: changed.at(-1)?.lastAt ?? null,
      };
    }),

  ranges: (conversation, fromSeq, limit) =>
    read(callMs.look, ({ blocks }, using) => {
      const options = {
        projection: placeOnly,
        sort: { firstSeq: 1 },
        limit,
        hint: blockIndexes.byPlace,
        ...using(),
      } as const;
      return blocks.find<BlockRange>({ conversation, firstSeq: { $gte: fromSeq } }, options).toArray();
    }),

  async replaceBlocks(sources, merged) {
    checkMerge(sources, merged);
    const stored = { ...merged, texts: joinTexts(merged) };
    const [first, ...others] = sources as [BlockRevision, ...BlockRevision[]];
    const asRead = { ...revision(first), format: { $nin: withoutTexts } };
    return transaction(async ({ blocks }, using) => {
      if (others.length > 0) {
        // A block that changes after this look ends the transaction.
        const there = await blocks.countDocuments({ $or: others.map(revision) }, using());
        if (there < others.length) return false;
      }
      if ((await blocks.updateOne(asRead, { $set: stored }, using())).matchedCount === 0) return false;
      const deletes = others.map((other) => ({ deleteOne: { filter: revision(other) } }));
      if (deletes.length > 0) await blocks.bulkWrite(deletes, using());
      return true;
    });
  },

  async rewriteBlock(range, rev, block) {
    checkRewrite(range, block);
    const isCold = block.format === blockFormats.cold;
    const asRead = {
      ...revision({ ...range, rev }),
      format: isCold ? blockFormats.cold : { $nin: withoutTexts },
    };
    const next = isCold ? { rev: rev + 1 } : { format: block.format, texts: joinTexts(block), rev: rev + 1 };
    return call(callMs.write, async ({ blocks }) => (await blocks.updateOne(asRead, { $set: next })).matchedCount > 0);
  },

  expireBlocks: (before, limit) =>
    transaction(async (open, using) => {
      const looked = await oldest(open, before, limit, using);
      const expired = await setApart(open, looked, using);
      await remove(open, expired, using);
      return { looked: looked.length, removed: expired.length };
    }),

  async expireBlocksOf(conversation, before, limit) {
    // Mostly there is nothing.
    if ((await read(callMs.look, (open, using) => oldestOf(open, conversation, before, limit, using))).length === 0)
      return 0;
    return transaction(async (open, using) => {
      const expired = await oldestOf(open, conversation, before, limit, using);
      await remove(open, expired, using);
      return expired.length;
    });
  },

  ownDays: ({ historyDays, conversation }, limit) =>
    read(callMs.look, async ({ conversations }, using) => {
      const above = { $or: [{ historyDays, _id: { $gt: conversation } }, { historyDays: { $gt: historyDays } }] };
      const options = {
        projection: { historyDays: 1 },
        sort: { historyDays: 1, _id: 1 },
        limit,
        ...using(),
      } as const;
      return (await conversations.find(above, options).toArray()).map(({ _id, historyDays: days }) => ({
        historyDays: Number(days),
        conversation: String(_id),
      }));
    }),

  warmBlocks: (since, before, limit) =>
    read(callMs.look, async ({ blocks }, using) => {
      const options = {
        projection: { ...placeOnly, lastAt: 1, format: 1 },
        sort: { lastAt: 1 },
        limit,
        ...using(),
      } as const;
      const looked = await blocks
        .find<BlockRange & { lastAt: number; format: number }>({ lastAt: { $gte: since, $lt: before } }, options)
        .toArray();
      const ranges = looked
        .filter(({ format }) => !withoutTexts.includes(format))
        .map(({ conversation, firstSeq, lastSeq }) => ({ conversation, firstSeq, lastSeq }));
      return { ranges, until: looked.at(-1)?.lastAt ?? null };
    }),

  makeCold: (block) =>
    call(callMs.write, async ({ blocks }) => {
      const asRead = { ...revision(block), format: { $nin: withoutTexts } };
      return (await blocks.updateOne(asRead, { $set: { format: blockFormats.cold, texts: '' } })).matchedCount > 0;
    }),

  /** Mostly there is one, and then no barrier is needed. */
  stateOf: async (range) =>
    (await read(callMs.look, (open, using) => findState(open, range, using))) ??
    readBehindBarrier((open, using) => findState(open, range, using)),
});
