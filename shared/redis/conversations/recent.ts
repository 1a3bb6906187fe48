import type { Redis } from 'ioredis';
import type { Keys } from '../keys.ts';
import { queue, run } from '../scripts.ts';

/** Limits of the cache of one conversation, and how long it stays after the last read (ms). */
export const recentLimits = { messages: 128, bytes: 256 * 1024, stayMs: 600_000 } as const;

/** Texts of consecutive seqs of a conversation, as the store holds them. */
export type TextRun = { conversation: string; firstSeq: number; texts: string[] };

/** What a read found kept: every text of low..high is, and those of the page are here. */
export type RecentTexts = { low: number; high: number; bytes: number; texts: Map<number, string> };

/** The newest of a run that fit; a run of none if the newest one alone is too long. */
export function newestOf(
  { conversation, firstSeq, texts }: TextRun,
  most: { messages: number; bytes: number },
): TextRun {
  let from = texts.length;
  for (let bytes = 0; from > 0 && texts.length - from < most.messages; from--) {
    bytes += Buffer.byteLength(texts[from - 1]!);
    if (bytes > most.bytes) break;
  }
  return { conversation, firstSeq: firstSeq + from, texts: texts.slice(from) };
}

/** The part of a run that is worth caching beside what is cached: newer texts, or those that fit below. Null: none. */
export function worthKeeping(given: TextRun, kept: Omit<RecentTexts, 'texts'> | null): TextRun | null {
  const end = given.firstSeq + given.texts.length - 1;
  let part: TextRun;
  if (kept === null || end > kept.high) part = newestOf(given, recentLimits);
  else if (end < kept.low - 1 || given.firstSeq >= kept.low) return null;
  else {
    const room = {
      messages: recentLimits.messages - (kept.high - kept.low + 1),
      bytes: recentLimits.bytes - kept.bytes,
    };
    part = newestOf({ ...given, texts: given.texts.slice(0, kept.low - given.firstSeq) }, room);
  }
  return part.texts.length > 0 ? part : null;
}

/**
 * The newest messages of conversations that somebody reads, so that reading them asks no store: put here by the gateway
 * that had to ask the store, continued by the archive, gone some time after the last read. It holds only what the store
 * holds, laid over with the amendments of the conversation, and may hold less.
 */
export function createRecent(redis: Redis, keys: Keys) {
  const call = (
    word: 'continue' | number,
    { conversation, firstSeq, texts }: TextRun,
  ): [string[], (string | number)[]] => {
    const partition = keys.partitionOf(conversation);
    const { messages, bytes, stayMs } = recentLimits;
    return [
      [keys.partitionSlot(partition), keys.recent(partition, conversation), keys.conversation(partition, conversation)],
      [word, stayMs, messages, bytes, firstSeq, ...texts],
    ];
  };

  /** Which of them are kept. Most are not, and then it is one short command for all. */
  async function keptOf(partition: number, runs: TextRun[]): Promise<TextRun[]> {
    const names = runs.map(({ conversation }) => keys.recent(partition, conversation));
    const count = await redis.exists(...names);
    if (count === 0 || count === runs.length) return count === 0 ? [] : runs;
    const pipeline = redis.pipeline();
    for (const name of names) pipeline.exists(name);
    const replies = (await pipeline.exec())!;
    return runs.filter((_, i) => replies[i]![1] === 1);
  }

  return {
    /**
     * After a read of the store: the texts as they read with all amendments up to `amendSeq`, the newest known then.
     */
    async fill(texts: TextRun, amendSeq: number): Promise<void> {
      await run(redis, 'keep-recent', ...call(amendSeq, texts));
    },

    /** After a write to the store below what is kept: of a message that was missing, or of an amendment that was. */
    async forget(conversation: string): Promise<void> {
      await redis.unlink(keys.recent(keys.partitionOf(conversation), conversation));
    },

    /**
     * What was archived now of one partition's conversations, the last run of each. A call that is missed drops what it
     * should have continued.
     */
    async extend(partition: number, runs: TextRun[]): Promise<void> {
      if (runs.length === 0) return;
      const kept = await keptOf(partition, runs);
      if (kept.length === 0) return;
      const pipeline = redis.pipeline();
      for (const one of kept) queue(pipeline, 'keep-recent', ...call('continue', newestOf(one, recentLimits)));
      for (const [error] of (await pipeline.exec())!) if (error) throw error;
    },
  };
}

export type Recent = ReturnType<typeof createRecent>;
