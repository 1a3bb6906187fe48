import { MongoBulkWriteError, MongoClient, type Collection, type Document } from 'mongodb';
import type { ConversationInfo } from '../model.ts';
import { blockLimits, checkMerge, joinTexts, readBlock, type StoredBlock } from './block.ts';
import { reopening } from './reopening.ts';
import { decodeSpans, encodeSpans } from '../spans.ts';
import { blockFormats, type BlockOutcome, type BlockRange, type Deployment, type HistoryStore, type MemberRow, type OwnDays, type Progress, type SkipRow } from './store.ts';

type Row = Document & { _id?: string | number };
type StoredMember = Omit<MemberRow, 'spans'> & { spans: string };

const duplicateKey = 11_000;

/** Every write is acknowledged by a majority from its journal, every read sees such writes only, from the primary. */
const clientOptions = {
  appName: 'restante',
  writeConcern: { w: 'majority', journal: true, wtimeoutMS: 5000 },
  readConcern: { level: 'majority' },
  readPreference: 'primary',
  retryWrites: true,
  retryReads: true,
  serverSelectionTimeoutMS: 5000,
  connectTimeoutMS: 5000,
  promoteLongs: true,
} as const;

const withoutTexts: number[] = [blockFormats.stub, blockFormats.cold];

const defaultDatabase = 'restante';
const databaseOf = (url: string): string => /^[^/]*\/\/[^/]*\/([^?]+)/.exec(url)?.[1] ?? defaultDatabase;

/**
 * Which of the documents were in place before, by index, or null when the error says anything else too: then the outcome of
 * some of them is not known.
 */
const takenIndexes = (error: unknown): Set<number> | null => {
  if (!(error instanceof MongoBulkWriteError) || error.result.getWriteConcernError()) return null;
  const errors = [error.writeErrors].flat();
  const allTaken = errors.length > 0 && errors.every(({ code }) => code === duplicateKey);
  return allTaken ? new Set(errors.map(({ index }) => index)) : null;
};

/** Inserts the documents whose unique keys are free. */
const insertNew = async (collection: Collection<Row>, documents: Row[]): Promise<BlockOutcome[]> => {
  if (documents.length === 0) return [];
  try {
    await collection.insertMany(documents, { ordered: false });
    return documents.map(() => 'stored');
  } catch (error) {
    const taken = takenIndexes(error);
    if (!taken) throw error;
    return documents.map((_, index) => (taken.has(index) ? 'taken' : 'stored'));
  }
};

/**
 * Stores rows that only move forward by `field`. A row that is there is changed by a plain update with the field in its
 * filter: atomic for each row. (An upsert with such a filter answers "duplicate key" for an equal or newer row, but also
 * when it met another one's first insert of an older row.)
 */
const raise = async (collection: Collection<Row>, rows: Row[], field: string): Promise<void> => {
  const outcomes = await insertNew(collection, rows);
  const present = rows.filter((_, index) => outcomes[index] === 'taken');
  if (present.length === 0) return;
  const updates = present.map(({ _id, ...rest }) => ({
    updateOne: { filter: { _id, [field]: { $lt: rest[field] } }, update: { $set: rest } },
  }));
  await collection.bulkWrite(updates, { ordered: false });
};

const find = <T>(collection: Collection<Row>, filter: Document, sort: Document, limit?: number): Promise<T[]> =>
  limit !== undefined && limit < 1
    ? Promise.resolve([])
    : (collection.find(filter, { projection: { _id: 0 }, sort, limit: limit ?? 0, promoteBuffers: true }).toArray() as Promise<unknown[]> as Promise<T[]>);

const findFirst = async <T>(collection: Collection<Row>, filter: Document, sort: Document): Promise<T | null> =>
  (await find<T>(collection, filter, sort, 1))[0] ?? null;

const toMember = (stored: StoredMember): MemberRow => ({ ...stored, spans: decodeSpans(stored.spans) });

/** The row of a version that kept the latest loss alone has `lostSince`; what it wrote was opened. */
const toDeployment = ({ _id: _, lostSince = null, ...stored }: Row): Deployment => {
  const { epoch, generation } = stored as unknown as Deployment;
  return { opened: true, losses: lostSince === null ? [] : [{ epoch, generation, lostSince }], ...stored } as unknown as Deployment;
};

type Connected = Record<'blocks' | 'conversations' | 'members' | 'skips' | 'progress' | 'deployments', Collection<Row>> & {
  client: MongoClient;
};

/** Connects and makes the indexes. A client that could not connect is of no more use to its driver: each try has its own. */
const connect = async (url: string): Promise<Connected> => {
  const client = new MongoClient(url, clientOptions);
  try {
    const database = client.db(databaseOf(url));
    const blocks = database.collection<Row>('blocks');
    const members = database.collection<Row>('members');
    const skips = database.collection<Row>('skips');
    const conversations = database.collection<Row>('conversations');
    await blocks.createIndex({ conversation: 1, firstSeq: 1 }, { unique: true });
    await blocks.createIndex({ conversation: 1, lastSeq: 1 });
    await blocks.createIndex({ conversation: 1, lastAt: 1 });
    await blocks.createIndex({ lastAt: 1 });
    await blocks.createIndex({ apart: 1, lastAt: 1 });
    await conversations.createIndex({ historyDays: 1, _id: 1 });
    await members.createIndex({ conversation: 1 });
    await members.createIndex({ user: 1, conversation: 1 });
    await skips.createIndex({ conversation: 1, toSeq: 1 });
    return {
      client,
      blocks,
      members,
      skips,
      conversations,
      progress: database.collection<Row>('progress'),
      deployments: database.collection<Row>('deployment'),
    };
  } catch (error) {
    await client.close();
    throw error;
  }
};

const lastSeqOf = async ({ blocks, skips }: Connected, conversation: string): Promise<number> => {
  const [block, skip] = await Promise.all([
    blocks.findOne({ conversation }, { sort: { lastSeq: -1 }, projection: { lastSeq: 1 } }),
    skips.findOne({ conversation }, { sort: { toSeq: -1 }, projection: { toSeq: 1 } }),
  ]);
  return Math.max(block?.['lastSeq'] ?? 0, skip?.['toSeq'] ?? 0);
};

/**
 * Whether a block is not the newest of its conversation: another one ends later, or ends with it and begins earlier, as a merged one
 * does beside what it was made of. A merge that stands between its writes removes only blocks that another follows, so it and the
 * retention never remove the newest one together.
 */
const isFollowed = async (blocks: Collection<Row>, { conversation, firstSeq, lastSeq }: BlockRange): Promise<boolean> => {
  const later = { conversation, $or: [{ lastSeq: { $gt: lastSeq } }, { lastSeq, firstSeq: { $lt: firstSeq } }] };
  return (await blocks.findOne(later, { projection: { _id: 1 } })) !== null;
};

const expire = async (blocks: Collection<Row>, { conversation, firstSeq, lastSeq }: BlockRange): Promise<void> => {
  await blocks.deleteMany({ conversation, lastSeq: { $lt: lastSeq }, format: blockFormats.stub });
  if (await isFollowed(blocks, { conversation, firstSeq, lastSeq })) await blocks.deleteOne({ conversation, firstSeq, lastSeq });
  else await blocks.updateOne({ conversation, firstSeq, lastSeq }, { $set: { format: blockFormats.stub, texts: '', firstAt: 0, lastAt: 0 } });
};

/** Which of these conversations have days of their own. */
const withOwnDays = async (conversations: Collection<Row>, ids: string[]): Promise<Set<string>> => {
  if (ids.length === 0) return new Set();
  const found = await conversations.find({ _id: { $in: [...new Set(ids)] }, historyDays: { $gte: 0 } }, { projection: { _id: 1 } }).toArray();
  return new Set(found.map(({ _id }) => String(_id)));
};

/** The blocks of a conversation without days of its own are met by the walk over all that is old. They were set apart by its id. */
const together = async (blocks: Collection<Row>, conversation: string): Promise<void> => {
  await blocks.updateMany({ apart: conversation }, { $unset: { apart: '' } });
};

/**
 * Rows of one collection with rising ids, the last one holds; so comparing and setting is one insert, and what the deployment
 * was before each loss stays known.
 */
const newestDeployment = async ({ deployments }: Connected): Promise<{ id: number; stored: Deployment } | null> => {
  const newest = await deployments.findOne({}, { sort: { _id: -1 } });
  if (!newest) return null;
  return { id: Number(newest._id), stored: toDeployment(newest) };
};

/**
 * The history in MongoDB. It connects at the first call and makes its indexes then; while the server cannot be reached the
 * calls reject, and later ones succeed again. Throws when the URL is malformed.
 */
export const openMongoStore = (url: string): HistoryStore => {
  // Only to throw now for a malformed URL; a client opens nothing until it is used.
  new MongoClient(url, clientOptions);
  const connection = reopening(() => connect(url));
  let isClosed = false;
  const use = (): Promise<Connected> =>
    isClosed ? Promise.reject(new Error('the history store is closed')) : connection.get();

  return {
    async write(write) {
      const stored = write.blocks.map((block) => ({ ...block, texts: joinTexts(block) }));
      const { progress, conversations, members, skips, blocks } = await use();
      if (write.progress) {
        const { partition, ...rest } = write.progress;
        await progress.updateOne({ _id: partition }, { $set: rest }, { upsert: true });
      }
      await raise(conversations, write.conversations.map(({ id, ...rest }) => ({ _id: id, ...rest })), 'version');
      // A conversation is created without days of its own, so there is nothing to bring together.
      const without = write.conversations.filter(({ historyDays, version }) => historyDays === null && version > 1);
      for (const { id } of without) await together(blocks, id);
      await raise(
        members,
        write.members.map((member) => ({
          _id: `${member.conversation}:${member.user}`,
          ...member,
          spans: encodeSpans(member.spans),
        })),
        'version',
      );
      await raise(skips, write.skips.map((skip) => ({ _id: `${skip.conversation}:${skip.fromSeq}`, ...skip })), 'toSeq');
      return insertNew(blocks, stored);
    },

    async newestBlock(conversation) {
      const { blocks } = await use();
      const stored = await findFirst<StoredBlock>(blocks, { conversation }, { lastSeq: -1 });
      return stored && readBlock(stored);
    },

    async blocks(conversation, fromSeq, toSeq, order, limit) {
      const { blocks } = await use();
      const filter = {
        conversation,
        firstSeq: { $gt: fromSeq - blockLimits.messages, $lte: toSeq },
        lastSeq: { $gte: fromSeq },
      };
      const stored = await find<StoredBlock>(blocks, filter, { firstSeq: order === 'oldest' ? 1 : -1 }, limit);
      return stored.map(readBlock);
    },

    async blocksSince(conversation, since, afterSeq, limit) {
      const { blocks } = await use();
      const filter = { conversation, firstSeq: { $gt: afterSeq }, lastAt: { $gte: since } };
      return (await find<StoredBlock>(blocks, filter, { firstSeq: 1 }, limit)).map(readBlock);
    },

    async blocksAround(at, limit) {
      const { blocks } = await use();
      const where = { projection: { _id: 0, conversation: 1, firstSeq: 1, lastSeq: 1, firstAt: 1 }, sort: { lastAt: 1 }, limit } as const;
      const looked = (await blocks.find({ lastAt: { $gte: at } }, where).toArray()) as unknown as (BlockRange & { firstAt: number })[];
      return looked.filter(({ firstAt }) => firstAt <= at).map(({ firstAt: _, ...range }) => range);
    },

    async keptFrom(conversation) {
      const { blocks } = await use();
      const first = await findFirst<StoredBlock>(blocks, { conversation }, { firstSeq: 1 });
      if (first === null) return 1;
      return first.format === blockFormats.stub ? first.lastSeq + 1 : first.firstSeq;
    },

    async changedSince(since, limit) {
      const { blocks } = await use();
      const where = { projection: { _id: 0, conversation: 1, lastAt: 1 }, sort: { lastAt: 1 }, limit } as const;
      const changed = (await blocks.find({ lastAt: { $gte: since } }, where).toArray()) as unknown as { conversation: string; lastAt: number }[];
      return { conversations: [...new Set(changed.map(({ conversation }) => conversation))], until: changed.at(-1)?.lastAt ?? null };
    },

    async ranges(conversation, fromSeq, limit) {
      const { blocks } = await use();
      const where = { projection: { _id: 0, conversation: 1, firstSeq: 1, lastSeq: 1 }, sort: { firstSeq: 1 }, limit } as const;
      return (await blocks.find({ conversation, firstSeq: { $gte: fromSeq } }, where).toArray()) as unknown as BlockRange[];
    },

    /** The first block grows in its place, and only then the others go: whoever reads in between finds some seqs twice. */
    async replaceBlocks(ranges, merged) {
      checkMerge(ranges, merged);
      const stored = { ...merged, texts: joinTexts(merged) };
      const { blocks } = await use();
      const { conversation, firstSeq, lastSeq } = ranges[0]!;
      const asRead = { conversation, firstSeq, lastSeq, format: { $nin: withoutTexts } };
      if ((await blocks.updateOne(asRead, { $set: stored })).matchedCount === 0) return false;
      for (const range of ranges.slice(1)) {
        await blocks.deleteOne({ conversation, firstSeq: range.firstSeq, lastSeq: range.lastSeq });
      }
      return true;
    },

    /**
     * Blocks are set apart first and the rows read again after it: of a conversation that loses its days meanwhile they are brought
     * together here, or by the write of its row. Stopped in between at that moment, it leaves blocks that are kept and that nobody sees.
     */
    async expireBlocks(before, limit) {
      const { blocks, conversations } = await use();
      const where = { projection: { _id: 0, conversation: 1, firstSeq: 1, lastSeq: 1 }, sort: { lastAt: 1 }, limit } as const;
      const old = { lastAt: { $gt: 0, $lt: before }, apart: null };
      const looked = (await blocks.find(old, where).toArray()) as unknown as BlockRange[];
      const own = await withOwnDays(conversations, looked.map(({ conversation }) => conversation));
      for (const conversation of own) await blocks.updateMany({ conversation, ...old }, { $set: { apart: conversation } });
      const still = await withOwnDays(conversations, [...own]);
      for (const conversation of own) if (!still.has(conversation)) await together(blocks, conversation);
      const expired = looked.filter(({ conversation }) => !own.has(conversation));
      for (const range of expired) await expire(blocks, range);
      return { looked: looked.length, removed: expired.length };
    },

    async expireBlocksOf(conversation, before, limit) {
      const { blocks } = await use();
      const where = { projection: { _id: 0, conversation: 1, firstSeq: 1, lastSeq: 1 }, sort: { lastAt: 1 }, limit } as const;
      const expired = (await blocks.find({ conversation, lastAt: { $gt: 0, $lt: before } }, where).toArray()) as unknown as BlockRange[];
      for (const range of expired) await expire(blocks, range);
      return expired.length;
    },

    async ownDays({ historyDays, conversation }, limit) {
      const { conversations } = await use();
      const above = { $or: [{ historyDays, _id: { $gt: conversation } }, { historyDays: { $gt: historyDays } }] };
      const where = { projection: { historyDays: 1 }, sort: { historyDays: 1, _id: 1 }, limit } as const;
      return (await conversations.find(above, where).toArray()).map(({ _id, historyDays: days }): OwnDays => ({ historyDays: Number(days), conversation: String(_id) }));
    },

    async warmBlocks(since, before, limit) {
      const { blocks } = await use();
      const where = { projection: { _id: 0, conversation: 1, firstSeq: 1, lastSeq: 1, lastAt: 1, format: 1 }, sort: { lastAt: 1 }, limit } as const;
      const looked = (await blocks.find({ lastAt: { $gte: since, $lt: before } }, where).toArray()) as unknown as (BlockRange & { lastAt: number; format: number })[];
      const ranges = looked.filter(({ format }) => !withoutTexts.includes(format))
        .map(({ conversation, firstSeq, lastSeq }) => ({ conversation, firstSeq, lastSeq }));
      return { ranges, until: looked.at(-1)?.lastAt ?? null };
    },

    async makeCold({ conversation, firstSeq, lastSeq }) {
      const { blocks } = await use();
      const asRead = { conversation, firstSeq, lastSeq, format: { $nin: withoutTexts } };
      return (await blocks.updateOne(asRead, { $set: { format: blockFormats.cold, texts: '' } })).matchedCount > 0;
    },

    async formatOf({ conversation, firstSeq, lastSeq }) {
      const { blocks } = await use();
      const found = await blocks.findOne({ conversation, firstSeq, lastSeq }, { projection: { _id: 0, format: 1 } });
      return found === null ? null : Number(found['format']);
    },

    async conversation(id) {
      const connected = await use();
      const { conversations, members, skips } = connected;
      // The last seq first: rows of members are written before the blocks, so they are at least as new as this number.
      const lastSeq = await lastSeqOf(connected, id);
      const [info, itsMembers, itsSkips] = await Promise.all([
        conversations.findOne({ _id: id }),
        find<StoredMember>(members, { conversation: id }, { user: 1 }),
        find<SkipRow>(skips, { conversation: id }, { fromSeq: 1 }),
      ]);
      if (!info) return null;
      const { _id, ...rest } = info;
      // A row of before there were days has none.
      return { info: { id, historyDays: null, ...rest } as ConversationInfo, members: itsMembers.map(toMember), skips: itsSkips, lastSeq };
    },

    async conversationsOf(user, after, limit) {
      const connected = await use();
      const filter = { user, conversation: { $gt: after } };
      const stored = await find<StoredMember>(connected.members, filter, { conversation: 1 }, limit);
      const skips = await find<SkipRow>(
        connected.skips, { conversation: { $in: stored.map(({ conversation }) => conversation) } }, { conversation: 1, fromSeq: 1 },
      );
      return Promise.all(
        stored.map(async (row) => ({
          member: toMember(row), lastSeq: await lastSeqOf(connected, row.conversation),
          skips: skips.filter(({ conversation }) => conversation === row.conversation),
        })),
      );
    },

    async progress() {
      const { progress } = await use();
      const rows = await progress.find({}, { sort: { _id: 1 } }).toArray();
      return rows.map(({ _id, ...rest }) => ({ partition: Number(_id), ...rest }) as unknown as Progress);
    },

    async deployment() {
      return (await newestDeployment(await use()))?.stored ?? null;
    },

    async saveDeployment(expectedEpoch, deployment) {
      const connected = await use();
      let newest = await newestDeployment(connected);
      while ((newest?.stored.epoch ?? null) === expectedEpoch) {
        const id = (newest?.id ?? 0) + 1;
        const [outcome] = await insertNew(connected.deployments, [{ _id: id, ...deployment }]);
        newest = await newestDeployment(connected);
        if (!newest || newest.id < id) throw new Error('the deployment was written and cannot be read yet');
        if (outcome === 'stored') break;
      }
      if (!newest) throw new Error(`no deployment is stored, epoch ${expectedEpoch} was expected`);
      return newest.stored;
    },

    async ping() {
      const { client } = await use();
      await client.db().command({ ping: 1 });
    },

    async close() {
      isClosed = true;
      const connected = await connection.peek()?.catch(() => null);
      await connected?.client.close();
    },
  };
};
