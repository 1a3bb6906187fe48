import type { Redis } from 'ioredis';
import { blockLimits } from '../../shared/history/block.ts';
import { coldName, textsOf, toObject } from '../../shared/history/cold/cold-block.ts';
import type { ObjectStore } from '../../shared/history/cold/objects.ts';
import { type Block, blockFormats, type BlockRange, type HistoryStore } from '../../shared/history/store.ts';
import type { Amendment } from '../../shared/model/amendment.ts';
import { readHead } from '../../shared/model/message-text.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { monotonicMs, wallMs } from '../../shared/timing/clocks.ts';
import { bakedTexts } from './baked-texts.ts';

const rowsInPage = 200;
/** Maximum time of a run (ms) and blocks written in it; the next run does the rest. */
const mostMs = 5000;
const blocksInRun = 200;

const lastOf = (firstSeq: number): number => firstSeq + blockLimits.messages - 1;

/**
 * Takes the old bodies of amended messages out of stored blocks. Readers have not seen them since they were amended;
 * this is about the bytes. It lays the rows over the texts of a block, as readers do, writes it by compare-and-set, and
 * then marks the rows. The rows stay.
 *
 * The texts of a cold block are put as the object of its next revision before the block is raised to it. _Must hold:_
 * an object is written once. Two processes that read different rows would write different ones, so whoever finds one
 * there goes on with it, and leaves its own rows to the next run.
 *
 * Progress is remembered by time, and the walk begins again at its end: what could not be written does not hold up
 * other rows.
 */
export function createBaking(parts: {
  redis: Redis;
  keys: Keys;
  history: Pick<HistoryStore, 'amendments' | 'blocks' | 'markBaked' | 'ranges' | 'rewriteBlock' | 'toBake'>;
  /** Null: there is no cold store. */
  objects: Pick<ObjectStore, 'putNew' | 'get'> | null;
  metrics: Pick<Metrics, 'baked'>;
  log: Logger;
  /** How old an amendment is (ms) before its message is rewritten. */
  purgeMs: number;
  now?: () => number;
}) {
  const { redis, keys, history, objects, metrics, log, purgeMs, now = wallMs } = parts;

  /** Resolves whether the block has these texts now. */
  async function rewrite(block: Block, texts: string[]): Promise<boolean> {
    if (block.format !== blockFormats.cold) return history.rewriteBlock(block, block.rev, { ...block, texts });
    if (objects === null) throw new Error('its texts are in the cold store, and COLD_URL is not set');
    const next = { ...block, rev: block.rev + 1, texts };
    const name = coldName(next);
    await objects.putNew(name, toObject(next));
    const found = textsOf(await objects.get(name), next);
    if (found.some((text, i) => readHead(text).id !== readHead(texts[i]!).id))
      throw new Error(`object ${name}: is of other messages`);
    return (await history.rewriteBlock(block, block.rev, block)) && found.every((text, i) => text === texts[i]);
  }

  /** Resolves whether a block has every amendment of its messages, and whether it was written for that. */
  async function bakeBlock(range: BlockRange): Promise<{ done: boolean; written: boolean }> {
    const { conversation, firstSeq, lastSeq } = range;
    // The rows first: of a block that was read after them none is missing.
    const rows = await history.amendments(conversation, firstSeq, lastSeq);
    const found = await history.blocks(conversation, firstSeq, firstSeq, 'oldest', 100);
    const block = found.find((one) => one.firstSeq === firstSeq && one.lastSeq === lastSeq);
    // It was merged or removed meanwhile.
    if (block === undefined) return { done: false, written: false };
    const texts = bakedTexts(block, rows);
    if (texts.every((text, i) => text === block.texts[i])) return { done: true, written: false };
    return { done: await rewrite(block, texts), written: true };
  }

  /**
   * Puts the amendments of one conversation into the blocks that hold their messages, within the length of a block.
   * Resolves the blocks written. A block that fails keeps its rows, and other blocks go on.
   */
  async function bakeNear(conversation: string, rows: Amendment[]): Promise<number> {
    const [from, to] = [rows[0]!.seq, rows.at(-1)!.seq];
    const begin = Math.max(1, from - blockLimits.messages + 1);
    const ranges = await history.ranges(conversation, begin, to - begin + 1);
    const holding = ranges.filter((range) => rows.some(({ seq }) => range.firstSeq <= seq && seq <= range.lastSeq));
    const open: BlockRange[] = [];
    let written = 0;
    for (const range of holding) {
      try {
        const outcome = await bakeBlock(range);
        if (outcome.written) written += 1;
        if (!outcome.done) open.push(range);
      } catch (thrown) {
        open.push(range);
        const { firstSeq, lastSeq } = range;
        log.error({ event: 'bake_failed', conversation, firstSeq, lastSeq, reason: reason(thrown) });
      }
    }
    const done = rows.filter(({ seq }) => !open.some(({ firstSeq, lastSeq }) => firstSeq <= seq && seq <= lastSeq));
    await history.markBaked(done);
    metrics.baked.inc(done.length);
    return written;
  }

  /** Cuts the rows of a conversation into groups, each within the length of a block. */
  function groupsOf(rows: Amendment[]): Amendment[][] {
    const groups: Amendment[][] = [];
    for (const row of rows.toSorted((a, b) => a.seq - b.seq)) {
      const open = groups.at(-1);
      if (open !== undefined && row.seq <= lastOf(open[0]!.seq)) open.push(row);
      else groups.push([row]);
    }
    return groups;
  }

  return async (): Promise<void> => {
    const began = monotonicMs();
    const before = now() - purgeMs;
    let since = Number((await redis.hget(keys.compaction, 'bakedTo')) ?? 0);
    let left = blocksInRun;
    while (left > 0 && monotonicMs() - began < mostMs) {
      const rows = await history.toBake(since, before, rowsInPage);
      for (const [conversation, some] of Map.groupBy(rows, (row) => row.conversation))
        for (const near of groupsOf(some)) left -= await bakeNear(conversation, near);
      const until = rows.at(-1)?.at ?? 0;
      // Look at the same moment once more: more amendments may be of it than were read.
      since = rows.length < rowsInPage ? 0 : until === since ? until + 1 : until;
      await redis.hset(keys.compaction, 'bakedTo', since);
      if (since === 0) return;
    }
  };
}
