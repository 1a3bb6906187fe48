import { isQuiet } from '../intake/amended.ts';
import { difference, holds, missingIn } from '../intake/ranges.ts';
import { pause, type Clock } from '../platform/clock.ts';
import { Refusal } from '../refusal.ts';
import type { ConversationRow, Storage } from '../storage/storage.ts';
import type { Message, SeqRange } from '../wire.ts';
import { createRepeats } from './repeats.ts';

export type StreamOptions = {
  id: string;
  storage: Storage;
  clock: Clock;
  row(): Promise<ConversationRow>;
  fill(range: SeqRange): Promise<void>;
  /** Resolves when the conversation changes. */
  changed(): Promise<void>;
  after: number | undefined;
  signal: AbortSignal | undefined;
};

const pageItems = 100;
const retryMs = 1000;

/**
 * The messages of a conversation, rising, each once, without holes: what is not here is read from history, and what
 * never comes is passed over, and so is a message that was accepted again after a loss. It reads at the pace of its
 * reader, so nothing piles up.
 */
export async function* streamOf(options: StreamOptions): AsyncGenerator<Message, void, undefined> {
  const { id, storage, clock, row, fill, signal } = options;
  const aborted = new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }));
  const isAborted = (): boolean => signal?.aborted === true;
  let at = options.after ?? (await row()).lastSeq;

  /** True if the range is done with: it came, or it never will. */
  const read = async (range: SeqRange): Promise<boolean> => {
    try {
      await Promise.race([fill(range), aborted]);
      return true;
    } catch (error) {
      if (error instanceof Refusal) return true;
      await Promise.race([pause(clock, retryMs), aborted]);
      return false;
    }
  };

  const isRepeated = createRepeats(at, (seq, limit) => storage.read(id, 1, seq, limit, true));

  while (!isAborted()) {
    // Asked for before the row is read, so that no change is missed.
    const change = options.changed();
    const { lastSeq, present, absent } = await row();
    if (lastSeq <= at) {
      await Promise.race([change, aborted]);
      continue;
    }
    const missing = difference(missingIn({ fromSeq: at + 1, toSeq: lastSeq }, present), absent)[0];
    if (missing?.fromSeq === at + 1) {
      const range = { fromSeq: at + 1, toSeq: Math.min(missing.toSeq, at + pageItems) };
      if ((await read(range)) && !holds((await row()).present, at + 1)) {
        const { present: now } = await row();
        at = difference([range], now)[0]?.toSeq ?? at;
      }
      continue;
    }
    const toSeq = missing === undefined ? lastSeq : missing.fromSeq - 1;
    const page = await storage.read(id, at + 1, toSeq, pageItems);
    for (const message of page) {
      at = message.seq;
      if (!(await isRepeated(message)) && !isQuiet(message)) yield message;
      if (isAborted()) return;
    }
    if (page.length < pageItems) at = toSeq;
  }
}
