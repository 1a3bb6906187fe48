import type { Redis } from 'ioredis';
import { blockLimits } from '../../shared/history/block.ts';
import {
  type Block,
  blockFormats,
  type BlockRange,
  type BlockRevision,
  type HistoryStore,
} from '../../shared/history/store.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { wallMs } from '../../shared/timing/clocks.ts';
import { bakedTexts } from './baked-texts.ts';

/** A block with at least this many messages is full and stays as it is. */
const fullFrom = 400;
/** Minimum small neighbours that are worth a write, so that merged blocks are seldom rewritten. */
const leastNeighbours = 8;
/** Maximum characters in the texts of a merged block. */
const mostLength = 1024 * 1024;
/** Blocks changed within this time may still grow (ms). */
const restMs = 30_000;
const blocksLookedAt = 2000;
const rangesInPage = 1000;
const mostMergesInRun = 50;

const stays: number[] = [blockFormats.stub, blockFormats.cold];

const sizeOf = ({ firstSeq, lastSeq }: BlockRange): number => lastSeq - firstSeq + 1;

/**
 * Finds runs of neighbouring small blocks that are worth merging, each within the maximum messages of a block. A
 * stopped merge leaves blocks that another block covers. They belong to that block's run, and make it worth merging.
 */
export function runsOf(ranges: readonly BlockRange[]): BlockRange[][] {
  const runs: { ranges: BlockRange[]; end: number; worth: boolean }[] = [];
  for (const range of ranges) {
    const open = runs.at(-1);
    if (open !== undefined && range.lastSeq <= open.end) {
      open.ranges.push(range);
      open.worth = true;
      continue;
    }
    const fits =
      open !== undefined &&
      range.firstSeq === open.end + 1 &&
      range.lastSeq - open.ranges[0]!.firstSeq < blockLimits.messages;
    if (fits && sizeOf(range) < fullFrom && sizeOf(open.ranges[0]!) < fullFrom) {
      open.ranges.push(range);
      open.end = range.lastSeq;
      open.worth ||= open.ranges.length >= leastNeighbours;
    } else runs.push({ ranges: [range], end: range.lastSeq, worth: false });
  }
  return runs.filter(({ worth }) => worth).map((run) => run.ranges);
}

/**
 * Merges neighbouring small blocks of history into full, packed ones, with the amendments of their messages. Writes are
 * compare-and-set: a concurrent process, or one killed at any step, does no harm (HistoryStore.replaceBlocks). Progress
 * is remembered by time; after a crash one look is repeated.
 */
export function createMerging(parts: {
  redis: Redis;
  keys: Keys;
  history: HistoryStore;
  metrics: Pick<Metrics, 'merged'>;
  now?: () => number;
}) {
  const { redis, keys, history, metrics, now = wallMs } = parts;

  /**
   * Merges the first blocks of a run that are not cold, within the size of one block. Resolves the number of merged
   * blocks.
   */
  async function merge(whole: BlockRange[]): Promise<number> {
    // Cold blocks are the oldest; their texts are not read.
    let cold = 0;
    while (cold < whole.length && (await history.stateOf(whole[cold]!))?.format === blockFormats.cold) cold++;
    const run = whole.slice(cold);
    if (run.length < 2) return 0;
    const { conversation, firstSeq } = run[0]!;
    const blocks = await history.blocks(conversation, firstSeq, run.at(-1)!.lastSeq, 'oldest', run.length + 1);
    const taken: BlockRevision[] = [];
    const merged: Block = {
      conversation,
      firstSeq,
      lastSeq: firstSeq - 1,
      firstAt: 0,
      lastAt: 0,
      format: blockFormats.packed,
      rev: 0,
      texts: [],
    };
    let length = 0;
    for (const block of blocks) {
      // A block that begins before the run overlaps it, and stays.
      if (block.firstSeq < firstSeq) continue;
      // Stubs and cold blocks stay; at the front of a run the merge begins after them.
      if (stays.includes(block.format) && taken.length > 0) break;
      if (stays.includes(block.format)) continue;
      const fresh = block.texts.slice(Math.max(0, merged.lastSeq + 1 - block.firstSeq));
      length += fresh.reduce((sum, text) => sum + text.length, 0);
      if (taken.length > 0 && (length > mostLength || block.firstSeq > merged.lastSeq + 1)) break;
      if (taken.length === 0)
        Object.assign(merged, { firstSeq: block.firstSeq, lastSeq: block.firstSeq - 1, firstAt: block.firstAt });
      taken.push(block);
      merged.texts.push(...fresh);
      merged.lastSeq = Math.max(merged.lastSeq, block.lastSeq);
      merged.lastAt = Math.max(merged.lastAt, block.lastAt);
    }
    if (taken.length < 2 || merged.texts.length > blockLimits.messages) return 0;
    // The blocks are read and written anyway.
    merged.texts = bakedTexts(merged, await history.amendments(conversation, merged.firstSeq, merged.lastSeq));
    // A block that covers the others keeps its range: its next revision must not be taken for the one before.
    merged.rev = Math.max(...taken.map(({ rev }) => rev)) + (taken[0]!.lastSeq === merged.lastSeq ? 1 : 0);
    return (await history.replaceBlocks(taken, merged)) ? taken.length : 0;
  }

  async function mergeConversation(conversation: string): Promise<number> {
    let merges = 0;
    for (let fromSeq = 1; ;) {
      const ranges = await history.ranges(conversation, fromSeq, rangesInPage);
      for (const run of runsOf(ranges)) {
        const blocks = await merge(run);
        metrics.merged.inc(blocks);
        if (blocks > 0) merges += 1;
      }
      if (ranges.length < rangesInPage) return merges;
      fromSeq = ranges.at(-1)!.firstSeq + 1;
    }
  }

  /** Merges blocks changed since the last run, up to a limit; the next run does the rest. */
  return async (): Promise<void> => {
    const since = Number((await redis.hget(keys.compaction, 'mergedTo')) ?? 0);
    const { conversations, until } = await history.changedSince(since, blocksLookedAt);
    if (until === null) return;
    let merges = 0;
    for (const conversation of conversations) {
      merges += await mergeConversation(conversation);
      if (merges >= mostMergesInRun) return;
    }
    // Look at the same moment again, unless it fills a whole look: more blocks that end in it may still arrive.
    await redis.hset(keys.compaction, 'mergedTo', until === since ? until + 1 : Math.min(until, now() - restMs));
  };
}
