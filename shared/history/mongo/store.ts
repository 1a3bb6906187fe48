import { type Collection, type Document, MongoClient } from 'mongodb';
import { blockLimits, checkMerge, joinTexts, readBlock, type StoredBlock } from '../block.ts';
import { reopening } from '../reopening.ts';
import { notHeld } from '../skips.ts';
import {
  type ArchiveWrite,
  blockFormats,
  type BlockOutcome,
  type BlockRange,
  type Deployment,
  type HistoryStore,
  type SkipRow,
} from '../store.ts';
import { blockIndexes, clientOptions, connect, type Connected, type Row } from './connection.ts';
import { bringTogether, oldest, oldestOf, remove, setApart } from './expiry.ts';
import {
  conversationUpsert,
  memberUpsert,
  progressUpdate,
  skipUpsert,
  type StoredMember,
  toDeployment,
  toInfo,
  toMember,
  toProgress,
} from './rows.ts';
import { createSessions, isDuplicateKey, type Sessions, type Using, within } from './sessions.ts';

/**
 * How long a call may take (ms): one that a reader waits for, one that brings back or compares, and one that writes.
 */
const limits = { page: 4000, look: 10_000, write: 15_000 } as const;

/** More rows of members are written before the transaction, so many at once. */
const membersAtOnce = 1000;
/** So many skips are compared with blocks in one query. */
const skipsAtOnce = 100;

const withoutTexts: number[] = [blockFormats.stub, blockFormats.cold];
const placeOnly = { _id: 0, conversation: 1, firstSeq: 1, lastSeq: 1 } as const;

const chunks = <T>(all: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, index) => all.slice(index * size, (index + 1) * size));

/** Blocks that hold any seq of a range. */
const holding = (conversation: string, fromSeq: number, toSeq: number): Document => ({
  conversation,
  firstSeq: { $gt: fromSeq - blockLimits.messages, $lte: toSeq },
  lastSeq: { $gte: fromSeq },
});

/** Skips without the seqs that blocks hold. */
async function onlySkipped({ blocks }: Connected, skips: SkipRow[], using: Using): Promise<SkipRow[]> {
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

const skipsOf = ({ skips }: Connected, filter: Document, using: Using): Promise<SkipRow[]> =>
  skips
    .find<SkipRow>(filter, {
      projection: { _id: 0, conversation: 1, fromSeq: 1, toSeq: 1 },
      sort: { conversation: 1, fromSeq: 1 },
      ...using(),
    })
    .toArray();

/** The highest seq of the blocks and skips of conversations; of both it reads the indexes alone. */
async function lastSeqsOf(
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

/**
 * Inserts blocks where their places are known to be free; `upsert` finds out for each of them, and costs twice as much.
 */
async function insertBlocks(
  { blocks }: Connected,
  documents: Row[],
  upsert: boolean,
  using: Using,
): Promise<BlockOutcome[]> {
  if (documents.length === 0) return [];
  if (!upsert) {
    await blocks.insertMany(
      documents.map((document) => ({ ...document })),
      using(),
    );
    return documents.map(() => 'stored');
  }
  const upserts = documents.map((document) => ({
    updateOne: {
      filter: { conversation: document['conversation'], firstSeq: document['firstSeq'] },
      update: { $setOnInsert: document },
      upsert: true,
    },
  }));
  const { upsertedIds } = await blocks.bulkWrite(upserts, using());
  return documents.map((_, index) => (index in upsertedIds ? 'stored' : 'taken'));
}

async function writeProgress(
  { progress }: Connected,
  { progress: row }: Pick<ArchiveWrite, 'progress'>,
  using?: Using,
): Promise<void> {
  if (row) await progress.updateOne({ _id: row.partition }, progressUpdate(row), { upsert: true, ...using?.() });
}

const isProgressOnly = ({ conversations, members, skips, blocks }: ArchiveWrite): boolean =>
  conversations.length + members.length + skips.length + blocks.length === 0;

/**
 * All of a write in one transaction. A place that is taken would end it, so it is begun again with a look at each
 * place.
 */
function writeAll(
  connected: Connected,
  sessions: Sessions,
  write: ArchiveWrite,
  documents: Row[],
  until: number,
): Promise<BlockOutcome[]> {
  let upsert = false;
  return sessions.transaction(until, async (using) => {
    await writeProgress(connected, write, using);
    if (write.conversations.length > 0)
      await connected.conversations.bulkWrite(write.conversations.map(conversationUpsert), using());
    for (const { id, historyDays, version } of write.conversations) {
      // A conversation is created without days of its own, so there is nothing to bring together.
      if (historyDays === null && version > 1) await bringTogether(connected, id, using);
    }
    if (write.members.length > 0) await connected.members.bulkWrite(write.members.map(memberUpsert), using());
    const skips = await onlySkipped(connected, write.skips, using);
    if (skips.length > 0) await connected.skips.bulkWrite(skips.map(skipUpsert), using());
    try {
      return await insertBlocks(connected, documents, upsert, using);
    } catch (error) {
      upsert ||= isDuplicateKey(error);
      throw error;
    }
  });
}

/**
 * Rows of one collection with rising ids, the last one holds; so what the deployment was before each loss stays known.
 */
async function newestDeployment(
  { deployment }: Connected,
  using: Using,
): Promise<{ id: number; stored: Deployment } | null> {
  const newest = await deployment.findOne({}, { sort: { _id: -1 }, ...using() });
  return newest && { id: Number(newest._id), stored: toDeployment(newest) };
}

/**
 * The history in MongoDB 6 or later, a replica set. It connects at the first call and makes its indexes then; while the
 * server cannot be reached the calls reject, and later ones succeed again. Throws when the URL is malformed.
 */
export function openMongoStore(url: string): HistoryStore {
  // Only to throw now for a malformed URL; a client opens nothing until it is used.
  new MongoClient(url, clientOptions);
  const connection = reopening(async () => {
    const connected = await connect(url);
    return { ...connected, sessions: createSessions(connected.client, connected.barrier) };
  });
  let isClosed = false;

  type Open = Connected & { sessions: Sessions };
  const call = <T>(ms: number, task: (open: Open, until: number) => Promise<T>): Promise<T> =>
    within(ms, async (until) => {
      if (isClosed) throw new Error('the history store is closed');
      const open = await connection.get();
      open.mustHavePrimary();
      return task(open, until);
    });
  const read = <T>(ms: number, task: (open: Open, using: Using) => Promise<T>): Promise<T> =>
    call(ms, (open, until) => open.sessions.read(until, (using) => task(open, using)));
  const readBehindBarrier = <T>(task: (open: Open, using: Using) => Promise<T>): Promise<T> =>
    call(limits.look, (open, until) => open.sessions.readBehindBarrier(until, (using) => task(open, using)));
  const transaction = <T>(task: (open: Open, using: Using) => Promise<T>): Promise<T> =>
    call(limits.write, (open, until) => open.sessions.transaction(until, (using) => task(open, using)));

  const findBlocks = async ({ blocks }: Open, filter: Document, options: Document, using: Using) =>
    (
      await blocks
        .find<StoredBlock>(filter, { projection: { _id: 0 }, promoteBuffers: true, ...options, ...using() })
        .toArray()
    ).map(readBlock);

  const findFormat = async (
    { blocks }: Open,
    { conversation, firstSeq, lastSeq }: BlockRange,
    using: Using,
  ): Promise<number | null> =>
    (await blocks.findOne({ conversation, firstSeq, lastSeq }, { projection: { _id: 0, format: 1 }, ...using() }))?.[
      'format'
    ] ?? null;

  return {
    async write(write) {
      // A block that does not add up is refused before anything is written.
      const documents = write.blocks.map((block) => ({ ...block, texts: joinTexts(block) }));
      if (isProgressOnly(write)) {
        await call(limits.write, (open) => writeProgress(open, write));
        return [];
      }
      const early = write.members.length > membersAtOnce ? write.members : [];
      if (early.length > 0) await call(limits.write, (open) => writeProgress(open, write));
      for (const some of chunks(early, membersAtOnce)) {
        await transaction(({ members }, using) => members.bulkWrite(some.map(memberUpsert), using()));
      }
      const rest = early.length > 0 ? { ...write, members: [] } : write;
      return call(limits.write, (open, until) => writeAll(open, open.sessions, rest, documents, until));
    },

    newestBlock: (conversation) =>
      read(
        limits.page,
        async (open, using) =>
          (await findBlocks(open, { conversation }, { sort: { lastSeq: -1, firstSeq: 1 }, limit: 1 }, using))[0] ??
          null,
      ),

    async blocks(conversation, fromSeq, toSeq, order, limit) {
      if (limit < 1) return [];
      const options = { sort: { firstSeq: order === 'oldest' ? 1 : -1 }, limit, hint: blockIndexes.byPlace };
      return read(limits.page, (open, using) =>
        findBlocks(open, holding(conversation, fromSeq, toSeq), options, using),
      );
    },

    blocksSince: (conversation, since, afterSeq, limit) =>
      readBehindBarrier((open, using) =>
        findBlocks(
          open,
          { conversation, firstSeq: { $gt: afterSeq }, lastAt: { $gte: since } },
          { sort: { firstSeq: 1 }, limit, hint: blockIndexes.byPlace },
          using,
        ),
      ),

    blocksAround: (at, limit) =>
      read(limits.look, async ({ blocks }, using) => {
        const options = { projection: { ...placeOnly, firstAt: 1 }, sort: { lastAt: 1 }, limit, ...using() } as const;
        const looked = await blocks.find<BlockRange & { firstAt: number }>({ lastAt: { $gte: at } }, options).toArray();
        return looked.filter(({ firstAt }) => firstAt <= at).map(({ firstAt: _, ...range }) => range);
      }),

    keptFrom: (conversation) =>
      read(limits.page, async ({ blocks }, using) => {
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

    changedSince: (since, limit) =>
      read(limits.look, async ({ blocks }, using) => {
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
      read(limits.look, ({ blocks }, using) => {
        const options = {
          projection: placeOnly,
          sort: { firstSeq: 1 },
          limit,
          hint: blockIndexes.byPlace,
          ...using(),
        } as const;
        return blocks.find<BlockRange>({ conversation, firstSeq: { $gte: fromSeq } }, options).toArray();
      }),

    async replaceBlocks(ranges, merged) {
      checkMerge(ranges, merged);
      const stored = { ...merged, texts: joinTexts(merged) };
      const [{ conversation, firstSeq, lastSeq }, ...others] = ranges as [BlockRange, ...BlockRange[]];
      const asRead = { conversation, firstSeq, lastSeq, format: { $nin: withoutTexts } };
      return transaction(async ({ blocks }, using) => {
        if ((await blocks.updateOne(asRead, { $set: stored }, using())).matchedCount === 0) return false;
        const deletes = others.map((range) => ({
          deleteOne: { filter: { conversation, firstSeq: range.firstSeq, lastSeq: range.lastSeq } },
        }));
        if (deletes.length > 0) await blocks.bulkWrite(deletes, using());
        return true;
      });
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
      if ((await read(limits.look, (open, using) => oldestOf(open, conversation, before, limit, using))).length === 0)
        return 0;
      return transaction(async (open, using) => {
        const expired = await oldestOf(open, conversation, before, limit, using);
        await remove(open, expired, using);
        return expired.length;
      });
    },

    ownDays: ({ historyDays, conversation }, limit) =>
      read(limits.look, async ({ conversations }, using) => {
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
      read(limits.look, async ({ blocks }, using) => {
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

    makeCold: ({ conversation, firstSeq, lastSeq }) =>
      call(limits.write, async ({ blocks }) => {
        const asRead = { conversation, firstSeq, lastSeq, format: { $nin: withoutTexts } };
        return (await blocks.updateOne(asRead, { $set: { format: blockFormats.cold, texts: '' } })).matchedCount > 0;
      }),

    /** Mostly there is one, and then no barrier is needed. */
    formatOf: async (range) =>
      (await read(limits.look, (open, using) => findFormat(open, range, using))) ??
      readBehindBarrier((open, using) => findFormat(open, range, using)),

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
        };
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
        const skips = Map.groupBy(
          await onlySkipped(open, await skipsOf(open, { conversation: { $in: ids } }, using), using),
          ({ conversation }) => conversation,
        );
        return rows.map((row) => ({
          member: toMember(row),
          lastSeq: lastSeqs.get(row.conversation) ?? 0,
          skips: skips.get(row.conversation) ?? [],
        }));
      }),

    progress: () =>
      readBehindBarrier(async ({ progress }, using) =>
        (await progress.find({}, { sort: { _id: 1 }, ...using() }).toArray()).map(toProgress),
      ),

    deployment: () => readBehindBarrier(async (open, using) => (await newestDeployment(open, using))?.stored ?? null),

    async saveDeployment(expectedEpoch, deployment) {
      await call(limits.look, ({ sessions }) => sessions.passBarrier());
      return transaction(async (open, using) => {
        const newest = await newestDeployment(open, using);
        if ((newest?.stored.epoch ?? null) !== expectedEpoch) {
          if (!newest) throw new Error(`no deployment is stored, epoch ${expectedEpoch} was expected`);
          return newest.stored;
        }
        const row = { _id: (newest?.id ?? 0) + 1, ...deployment };
        await open.deployment.insertOne({ ...row }, using());
        return toDeployment(row);
      });
    },

    ping: () => call(limits.page, ({ ping }) => ping()),

    async close() {
      isClosed = true;
      const connected = await connection.peek()?.catch(() => null);
      await connected?.client.close();
    },
  };
}
