import pLimit from 'p-limit';
import type { HistoryReads } from '../../shared/history/store.ts';
import { readHead } from '../../shared/model/message-text.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import { retries, retryPauseMs } from '../../shared/timing/retry.ts';

/** An accepted message; `id` is the message's. */
export type Sought = { id: string; conversation: string; seq: number };

/** Archives that wrote at the same time may have left blocks that overlap. */
const mostOverlapping = 4;
const blocksAtOnce = 4;

/**
 * Asks history whether it has messages, again and again with growing pauses, for as long as somebody seeks them. All
 * that are due are asked for together: the last seqs of their conversations in one call, then the blocks of those that
 * may be there. One round is under way at most.
 *
 * _Must hold:_ a message counts as stored only if a block has it under its id. A last seq alone may be a skip.
 */
export function createStoredLookup(
  history: Pick<HistoryReads, 'lastSeqs' | 'blocks'>,
  found: (sought: Sought) => void,
  log: Logger,
) {
  const due = new Map<Sought, { attempt: number; at: number }>();
  const limit = pLimit(blocksAtOnce);
  let timer: { handle: NodeJS.Timeout; at: number } | null = null;
  let asking = false;

  async function isStored({ id, conversation, seq }: Sought): Promise<boolean> {
    const blocks = await history.blocks(conversation, seq, seq, 'oldest', mostOverlapping);
    return blocks.some(({ firstSeq, texts }) => {
      const text = texts[seq - firstSeq];
      return text !== undefined && readHead(text).id === id;
    });
  }

  async function round(sought: Sought[]): Promise<void> {
    const ends = await history.lastSeqs([...new Set(sought.map(({ conversation }) => conversation))]);
    const candidates = sought.filter(({ conversation, seq }) => (ends.get(conversation) ?? 0) >= seq);
    await Promise.all(
      candidates.map((one) =>
        limit(async () => {
          if (due.has(one) && (await isStored(one)) && due.delete(one)) found(one);
        }),
      ),
    );
  }

  /** Asks at this time (ms, monotonic), or before. */
  function askAt(at: number): void {
    if (asking || (timer !== null && timer.at <= at)) return;
    if (timer !== null) clearTimeout(timer.handle);
    timer = { at, handle: setTimeout(ask, Math.max(0, at - monotonicMs())).unref() };
  }

  function ask(): void {
    timer = null;
    asking = true;
    const now = monotonicMs();
    const asked = [...due].filter(([, { at }]) => at <= now);
    round(asked.map(([sought]) => sought))
      .catch((thrown: unknown) => log.debug({ event: 'stored_lookup_failed', reason: reason(thrown) }))
      .finally(() => {
        asking = false;
        const ended = monotonicMs();
        for (const [, state] of asked) state.at = ended + retryPauseMs(retries.storedLookup, ++state.attempt);
        if (due.size > 0) askAt(due.values().reduce((least, { at }) => Math.min(least, at), Infinity));
      });
  }

  return {
    /** Seeks from `afterMs` on, until it is found or `forget` is called. */
    seek(sought: Sought, afterMs = 0): void {
      const at = monotonicMs() + afterMs;
      due.set(sought, { attempt: 0, at });
      askAt(at);
    },
    forget: (sought: Sought): void => void due.delete(sought),
    stop(): void {
      due.clear();
      if (timer !== null) clearTimeout(timer.handle);
    },
  };
}

export type StoredLookup = ReturnType<typeof createStoredLookup>;
