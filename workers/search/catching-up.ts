import pLimit from 'p-limit';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import type { Piece, SearchIndex, Target } from '../../shared/search/search-index.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import type { Reading } from './reading.ts';

const readsAtOnce = 8;
/**
 * A block may hold a thousand messages, or one. So a read begins with a few, and takes more while they turn out small.
 */
const leastBlocks = 2;
const mostBlocks = 64;
const smallBlock = 16;
/** A write ends soon after this many messages, so that others wait for it less than a second. */
const docsInWrite = 1000;
const piecesInWrite = 500;
/** A conversation that cannot be read again and again rests for this long (ms); the others go on. */
const restMs = 600_000;
const mostFailures = 3;

/** The lease of the index is another process's now. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
}

/** Brings conversations of an index up to date with history. */
export function createCatchingUp(parts: {
  index: Pick<SearchIndex, 'places' | 'write' | 'forget'>;
  owner: string;
  reading: Reading;
  metrics: Pick<Metrics, 'searchIndexed'>;
  log: Logger;
}) {
  const { index, owner, reading, metrics, log } = parts;
  const failures = new Map<string, { times: number; at: number }>();

  function isResting(conversation: string): boolean {
    const failed = failures.get(conversation);
    if (failed === undefined || failed.times < mostFailures) return false;
    if (monotonicMs() - failed.at < restMs) return true;
    failures.delete(conversation);
    return false;
  }

  function noteFailure(conversation: string, thrown: unknown): void {
    const times = (failures.get(conversation)?.times ?? 0) + 1;
    failures.set(conversation, { times, at: monotonicMs() });
    if (times === mostFailures)
      log.error({ event: 'search_conversation_failed', conversation, reason: reason(thrown) });
  }

  /** Gathers pieces into writes, in their order. */
  function createWriter(target: Target) {
    let pieces: Piece[] = [];
    let docs = 0;
    let last: Promise<void> = Promise.resolve();

    async function write(batch: Piece[], count: number): Promise<void> {
      if (!(await index.write(owner, target, batch))) throw new LeaseLost('the lease of the search index is lost');
      metrics.searchIndexed.inc(count);
    }
    function flush(): Promise<void> {
      if (pieces.length === 0) return last;
      const [batch, count] = [pieces, docs];
      pieces = [];
      docs = 0;
      last = last.then(() => write(batch, count));
      // Whoever waits for it is told; others may not have begun to.
      last.catch(() => undefined);
      return last;
    }
    return {
      flush,
      async add(piece: Piece): Promise<void> {
        pieces.push(piece);
        docs += piece.docs.length;
        if (docs >= docsInWrite || pieces.length >= piecesInWrite) await flush();
      },
    };
  }

  /** Reads with `read`; a failure is noted, and thrown once all others are done. */
  async function each(
    target: Target,
    conversations: readonly string[],
    read: (conversation: string, add: (piece: Piece) => Promise<void>) => Promise<void>,
  ): Promise<void> {
    const limit = pLimit(readsAtOnce);
    const writer = createWriter(target);
    const failed: unknown[] = [];
    await Promise.all(
      conversations.map((conversation) =>
        limit(async () => {
          if (isResting(conversation) || failed.some((thrown) => thrown instanceof LeaseLost)) return;
          try {
            await read(conversation, writer.add);
            failures.delete(conversation);
          } catch (thrown) {
            if (!(thrown instanceof LeaseLost)) noteFailure(conversation, thrown);
            failed.push(thrown);
          }
        }),
      ),
    );
    await writer.flush();
    if (failed.length > 0) throw failed.find((thrown) => thrown instanceof LeaseLost) ?? failed[0];
  }

  return {
    /** Indexes what is new in these conversations. Rejects with LeaseLost, or with what could not be read. */
    async upToDate(target: Target, conversations: readonly string[], stopped: () => boolean): Promise<void> {
      const places = await index.places(target, [...conversations]);
      await each(target, conversations, async (conversation, add) => {
        let indexedTo = places.get(conversation)?.indexedTo ?? 0;
        let blocks = leastBlocks;
        for (;;) {
          const piece = stopped() ? null : await reading.after(conversation, indexedTo, blocks);
          if (piece === null) return;
          await add(piece);
          const isSmall = piece.indexedTo - indexedTo <= smallBlock * blocks;
          blocks = isSmall ? Math.min(mostBlocks, 4 * blocks) : leastBlocks;
          indexedTo = piece.indexedTo;
        }
      });
    },

    /** Indexes single messages that came late. */
    async late(target: Target, messages: readonly { conversation: string; seq: number }[]): Promise<void> {
      const byConversation = Map.groupBy(messages, ({ conversation }) => conversation);
      await each(target, [...byConversation.keys()], async (conversation, add) => {
        for (const { seq } of byConversation.get(conversation)!) await add(await reading.one(conversation, seq));
      });
    },

    /** Removes a conversation, to be read from its beginning. */
    async forget(target: Target, conversation: string): Promise<void> {
      for (let more: boolean | null = true; more;) {
        more = await index.forget(owner, target, conversation);
        if (more === null) throw new LeaseLost('the lease of the search index is lost');
      }
    },
  };
}

export type CatchingUp = ReturnType<typeof createCatchingUp>;
