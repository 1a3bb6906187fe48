import { joinTexts } from '../block.ts';
import { EpochOver, mustHaveProgress } from '../epoch-over.ts';
import type { ArchiveWrite, ArchiveWrites, BlockOutcome } from '../store.ts';
import { amendmentUpsert } from './amendment-rows.ts';
import { type Calls, callMs } from './calls.ts';
import type { Connected, Row } from './connection.ts';
import { newestDeployment } from './deployment-row.ts';
import { bringTogether } from './expiry.ts';
import { conversationUpsert, memberUpsert, progressUpdate, settingUpsert, skipUpsert, toProgress } from './rows.ts';
import { isDuplicateKey, type Sessions, type Using } from './sessions.ts';
import { chunks, onlySkipped } from './skips.ts';

/** More rows of members than this are written before the transaction, this many per transaction. */
const membersAtOnce = 1000;

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

/**
 * Throws EpochOver. The row of a partition's progress holds the epoch of its last write, and whoever begins another
 * epoch changes the rows of all partitions (epoch-end.ts). So of that and a write at the same time, one meets the
 * other's change and is begun again. The last step of a transaction: the row is locked up to its end, and a process may
 * be paused or die at any moment.
 */
async function writeProgress(
  connected: Connected,
  { progress: row, epoch }: ArchiveWrite,
  using: Using,
): Promise<void> {
  if (row === null) return;
  const before = await connected.progress.findOneAndUpdate({ _id: row.partition }, progressUpdate(row, epoch), {
    upsert: true,
    projection: { epoch: 1 },
    returnDocument: 'before',
    ...using(),
  });
  if (epoch === undefined || before?.['epoch'] === epoch) return;
  const newest = await newestDeployment(connected, using);
  if (newest !== null && newest.stored.epoch !== epoch) throw new EpochOver(epoch);
}

/** Without a transaction. Resolves false, with nothing written, if the row does not hold the epoch of the write. */
async function writeProgressAlone({ progress }: Connected, { progress: row, epoch }: ArchiveWrite): Promise<boolean> {
  if (row === null) return true;
  const [own, upsert] = epoch === undefined ? [{}, true] : [{ epoch }, false];
  const { matchedCount } = await progress.updateOne({ _id: row.partition, ...own }, progressUpdate(row), { upsert });
  return upsert || matchedCount === 1;
}

const isProgressOnly = ({ conversations, members, skips, settings = [], amendments, blocks }: ArchiveWrite): boolean =>
  conversations.length + members.length + skips.length + settings.length + amendments.length + blocks.length === 0;

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
    if (write.conversations.length > 0)
      await connected.conversations.bulkWrite(write.conversations.map(conversationUpsert), using());
    for (const { id, historyDays, version } of write.conversations) {
      // A conversation is created without days of its own, so there is nothing to bring together.
      if (historyDays === null && version > 1) await bringTogether(connected, id, using);
    }
    if (write.members.length > 0) await connected.members.bulkWrite(write.members.map(memberUpsert), using());
    if (write.settings?.length) await connected.settings.bulkWrite(write.settings.map(settingUpsert), using());
    const skips = await onlySkipped(connected, write.skips, using);
    if (skips.length > 0) await connected.skips.bulkWrite(skips.map(skipUpsert), using());
    if (write.amendments.length > 0)
      await connected.amendments.bulkWrite(write.amendments.map(amendmentUpsert), using());
    let outcomes: BlockOutcome[];
    try {
      outcomes = await insertBlocks(connected, documents, upsert, using);
    } catch (error) {
      upsert ||= isDuplicateKey(error);
      throw error;
    }
    await writeProgress(connected, write, using);
    return outcomes;
  });
}

export const createWrites = ({ call, readBehindBarrier, transaction }: Calls): ArchiveWrites => ({
  async write(write) {
    // A block that does not add up is refused before anything is written.
    const documents = write.blocks.map((block) => ({ ...block, texts: joinTexts(block) }));
    mustHaveProgress(write);
    if (isProgressOnly(write) && (await call(callMs.write, (open) => writeProgressAlone(open, write)))) return [];
    const early = write.members.length > membersAtOnce ? write.members : [];
    for (const some of chunks(early, membersAtOnce)) {
      await transaction(async (open, using) => {
        await open.members.bulkWrite(some.map(memberUpsert), using());
        await writeProgress(open, write, using);
      });
    }
    const rest = early.length > 0 ? { ...write, members: [] } : write;
    return call(callMs.write, (open, until) => writeAll(open, open.sessions, rest, documents, until));
  },

  progress: () =>
    readBehindBarrier(async ({ progress }, using) =>
      (await progress.find({}, { sort: { _id: 1 }, ...using() }).toArray()).map(toProgress),
    ),
});
