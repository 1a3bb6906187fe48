import type { Redis } from 'ioredis';
import { coldName, textsOf, toObject } from '../../shared/history/cold/cold-block.ts';
import type { ObjectStore } from '../../shared/history/cold/objects.ts';
import { blockFormats, type BlockRange, type HistoryStore } from '../../shared/history/store.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { monotonicMs, wallMs } from '../../shared/timing/clocks.ts';

const blocksLookedAt = 200;
/** Maximum time of a run (ms); the next run does the rest. */
const mostMs = 5000;
/** Minimum length of a text. A shorter one would take as much space as a file as it takes in the store. */
const leastLength = 4096;

/**
 * Moves the texts of old blocks from the store into objects of their own. The object must be durable, read back and
 * compared before the block is changed, by compare-and-set. A run that stops in between leaves an object. The next run
 * writes it again, or nobody ever reads it (discarding.ts).
 *
 * Progress is remembered by time. Blocks that arrive later with an older time stay in the store. So does the excess if
 * more blocks end in one millisecond than one look reads.
 */
export function createCooling(parts: {
  redis: Redis;
  keys: Keys;
  history: Pick<HistoryStore, 'blocks' | 'warmBlocks' | 'makeCold'>;
  objects: Pick<ObjectStore, 'put' | 'get'>;
  metrics: Pick<Metrics, 'cooled'>;
  afterMs: number;
  least?: number;
  now?: () => number;
}) {
  const { redis, keys, history, objects, metrics, afterMs, least = leastLength, now = wallMs } = parts;

  async function move(range: BlockRange): Promise<void> {
    const found = await history.blocks(range.conversation, range.firstSeq, range.firstSeq, 'oldest', 100);
    const block = found.find(({ firstSeq, lastSeq }) => firstSeq === range.firstSeq && lastSeq === range.lastSeq);
    if (block === undefined || block.texts.length === 0 || block.format === blockFormats.cold) return;
    if (block.texts.reduce((sum, text) => sum + text.length, 0) < least) return;
    const name = coldName(block);
    await objects.put(name, toObject(block));
    const texts = textsOf(await objects.get(name), block);
    if (texts.some((text, i) => text !== block.texts[i])) throw new Error(`object ${name}: came back with other texts`);
    if (await history.makeCold(block)) metrics.cooled.inc();
  }

  return async (): Promise<void> => {
    const began = monotonicMs();
    let since = Number((await redis.hget(keys.compaction, 'cooledTo')) ?? 1);
    while (monotonicMs() - began < mostMs) {
      const { ranges, until } = await history.warmBlocks(since, now() - afterMs, blocksLookedAt);
      if (until === null) return;
      for (const range of ranges) await move(range);
      // Look at the same moment once more: more blocks may end in it than were read.
      since = until === since ? until + 1 : until;
      await redis.hset(keys.compaction, 'cooledTo', since);
    }
  };
}
