import type { Redis } from 'ioredis';
import type { Block, HistoryStore } from '../../shared/history/store.ts';
import { blockPages } from '../../shared/history/walking.ts';
import { readHead } from '../../shared/model/message-text.ts';
import { historyKeptMs } from '../../shared/model/retention.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { wallMs } from '../../shared/timing/clocks.ts';
import { createAmendmentAudit } from './amendments.ts';
import type { Finding, Kind } from './findings.ts';
import { addRange, type Ranges, rangeText, uncovered, without } from './ranges.ts';
import type { StreamContent } from './streams.ts';

const rangesInPage = 1000;
/** A block has at most 1000 texts, so a page is bounded. */
const blocksInPage = 4;

export type Stores = {
  redis: Redis;
  keys: Keys;
  history: HistoryStore;
  /** How long history keeps the messages of conversations without days of their own. */
  historyRetentionMs: number;
  /** How old an amendment is before the old body is taken out of blocks. */
  purgeMs: number;
  streams: (partition: number) => Promise<StreamContent>;
};

/** The words of a message id that rise: the stream entry's milliseconds and number. */
const ordinal = (id: string): [number, number] => {
  const [, ms, n] = id.split('-');
  return [Number(ms), Number(n)];
};
const rises = (from: string, to: string): boolean => {
  const [[ms, n], [nextMs, nextN]] = [ordinal(from), ordinal(to)];
  return ms === nextMs ? n < nextN : ms < nextMs;
};

/** Where the blocks of a conversation lie; also of one that is merged meanwhile, at the second look. */
async function placesOf(history: HistoryStore, id: string): Promise<Ranges> {
  const places: Ranges = [];
  for (let from = 1; ;) {
    const page = await history.ranges(id, from, rangesInPage);
    for (const { firstSeq, lastSeq } of page) addRange(places, firstSeq, lastSeq);
    if (page.length < rangesInPage) return places;
    from = page.at(-1)!.firstSeq + 1;
  }
}

/** Reads every text and compares it with its place. Holds one page of blocks and the ids of one block. */
async function readTexts(
  history: HistoryStore,
  id: string,
  amendments: ReturnType<typeof createAmendmentAudit>,
  found: (kind: Kind, what: string) => void,
): Promise<void> {
  let last: { seq: number; id: string } | null = null;
  /** Ids of the block before: blocks of two archives that wrote at the same time may overlap. */
  let before: { firstSeq: number; ids: string[] } = { firstSeq: 0, ids: [] };

  function look(block: Block): boolean {
    const ids: string[] = [];
    let isWhole = true;
    for (const [index, text] of block.texts.entries()) {
      const seq = block.firstSeq + index;
      let head: ReturnType<typeof readHead> | null = null;
      try {
        head = readHead(text);
      } catch {
        // Named below.
      }
      ids.push(head?.id ?? '');
      if (head === null || head.seq !== seq || head.conversation !== id) {
        found('misplaced_text', `seq ${seq}`);
        isWhole = false;
        continue;
      }
      const known = before.ids[seq - before.firstSeq];
      if (known !== undefined && known !== '' && known !== head.id) found('doubled_id', `seq ${seq}`);
      if (last !== null && seq > last.seq && !rises(last.id, head.id)) found('doubled_id', `seq ${seq}`);
      if (last === null || seq > last.seq) last = { seq, id: head.id };
    }
    before = { firstSeq: block.firstSeq, ids };
    return isWhole;
  }

  for await (const page of blockPages(history, id, 0, blocksInPage))
    for (const block of page) if (look(block)) await amendments.look(block);
}

/**
 * One conversation: every seq that was given is in a block, skipped, removed by retention or not archived yet, and
 * every text stands in its place. A message that is on its way from the stream to history may seem to be missing, so
 * the caller looks again.
 */
export async function auditConversation(
  { redis, keys, history, streams, historyRetentionMs, purgeMs }: Stores,
  id: string,
  withTexts: boolean,
): Promise<{ seqs: number; oldBodies: number; findings: Finding[] }> {
  const partition = keys.partitionOf(id);
  const findings: Finding[] = [];
  const found = (kind: Kind, what: string): void => void findings.push({ kind, where: `conversation ${id}`, what });
  /** Null where Redis does not know the conversation, or will take it from history when somebody needs it. */
  async function seqOf(): Promise<number | null> {
    const [[epoch, seq], line] = await Promise.all([
      redis.hmget(keys.conversation(partition, id), 'epoch', 'seq'),
      redis.hget(keys.partitionSlot(partition), 'line'),
    ]);
    const isCurrent = line !== null && (epoch === line || epoch?.startsWith(`unloaded:${line}:`) === true);
    return isCurrent ? Number(seq) : null;
  }

  const given = await seqOf();
  const stored = await history.conversation(id);
  const places = await placesOf(history, id);
  const lastSeq = Math.max(stored?.lastSeq ?? 0, places.at(-1)?.toSeq ?? 0);
  const last = Math.max(given ?? 0, lastSeq);
  // Nothing can have expired of a conversation that is younger than what is kept: its first seqs must be there as well.
  const keptMs = historyKeptMs(stored?.info ?? { historyDays: null }, historyRetentionMs);
  const expires = stored === null || stored.info.createdAt + keptMs < wallMs();
  const keptFrom = expires ? await history.keptFrom(id) : 1;
  for (const { fromSeq, toSeq } of stored?.skips ?? []) addRange(places, fromSeq, toSeq);
  let missing = uncovered(places, keptFrom, last);
  if (missing.length > 0) missing = without(missing, (await streams(partition)).unarchived.get(id) ?? []);
  for (const range of missing) found('missing_seqs', `seqs ${rangeText(range)}`);

  // Read after history, so a seq that was given meanwhile is not taken for one that Redis does not know.
  const now = await seqOf();
  if (now !== null && now < lastSeq) found('seq_behind', `seq ${now} in Redis, ${lastSeq} in history`);
  const amendments = createAmendmentAudit(history, id, keptFrom, stored?.amendSeq ?? 0, purgeMs, found);
  if (withTexts) await readTexts(history, id, amendments, found);
  return { seqs: last, oldBodies: amendments.oldBodies, findings };
}
