import { LRUCache } from 'lru-cache';
import type { ArchiveWrite, Block, HistoryStore, SkipRow } from '../../shared/history/store.ts';
import type { SkippedEntry } from '../../shared/model/entry.ts';
import { readHead } from '../../shared/model/message-text.ts';
import type { Logger } from '../../shared/process/log.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import type { Bury } from '../dead-letter-writer.ts';
import { type ArchiveMessage, toBlocks } from './blocks.ts';
import type { Pace } from './pace.ts';

/** What a batch holds of one conversation. */
export type Part = { messages: ArchiveMessage[]; skips: SkippedEntry[] };

/** What is to be written of one conversation; `end` is its last seq afterwards. */
export type Piece = { conversation: string; blocks: Block[]; skips: SkipRow[]; end: number };

export const emptyWrite: ArchiveWrite = {
  progress: null,
  conversations: [],
  members: [],
  skips: [],
  amendments: [],
  blocks: [],
};

/** The skips right before the block at `index`; for the index after the last block, the skips behind it. */
function skipsBefore({ blocks, skips }: Piece, index: number): SkipRow[] {
  const after = blocks[index - 1]?.lastSeq ?? 0;
  const before = blocks[index]?.firstSeq ?? (index === blocks.length ? Infinity : 0);
  return skips.filter(({ fromSeq }) => fromSeq > after && fromSeq < before);
}

/**
 * The chain rule: a block is written only when everything before it in its conversation is known to be stored.
 *
 * The last stored seq is known from an own insert that succeeded, or from the stored block. A batch that begins lower
 * has its stored part compared by id and dropped. A batch that begins higher is not written, and the pending entries
 * are read again.
 *
 * A place that was taken makes the conversation start over from the store. So does every batch that begins with the
 * oldest unsettled entry: another process may have owned the partition in between.
 */
export function createChain(parts: {
  history: Pick<HistoryStore, 'lastSeqs' | 'blocks' | 'write'>;
  bury: Bury;
  log: Logger;
  pace?: Pick<Pace, 'packs' | 'stored'>;
  metrics?: Pick<Metrics, 'storeCalls' | 'storeMessages'>;
}) {
  const { history, bury, log, pace, metrics } = parts;
  /** The last stored seq of each conversation, as far as the rule allows it to be known. */
  const lastStored = new LRUCache<string, number>({ max: 100_000 });

  /** Messages that history holds already must be the same ones: another id means that a seq was given twice. */
  async function compareStored(partition: number, conversation: string, again: ArchiveMessage[]): Promise<void> {
    const blocks = await history.blocks(conversation, again[0]!.seq, again.at(-1)!.seq, 'oldest', again.length);
    for (const { seq, streamId, text } of again) {
      const block = blocks.find(({ firstSeq, lastSeq }) => firstSeq <= seq && seq <= lastSeq);
      const stored = block?.texts[seq - block.firstSeq];
      if (stored !== undefined && readHead(stored).id !== readHead(text).id) {
        await bury({
          reason: 'conflict',
          partition,
          group: 'history',
          streamId,
          error: 'another message is stored under this seq',
          content: text,
          subject: { conversation, seq },
        });
      }
    }
  }

  return {
    /**
     * The last stored seq of each conversation; unknown ones are read in one call. `fresh` reads all of them: what was
     * known may be older than another owner of the partition.
     */
    async storedEnds(conversations: string[], fresh: boolean): Promise<Map<string, number>> {
      const ends = new Map<string, number>();
      for (const conversation of fresh ? [] : conversations) {
        const known = lastStored.get(conversation);
        if (known !== undefined) ends.set(conversation, known);
      }
      const unknown = conversations.filter((conversation) => !ends.has(conversation));
      if (unknown.length === 0) return ends;
      const stored = await history.lastSeqs(unknown);
      for (const conversation of unknown) ends.set(conversation, stored.get(conversation) ?? 0);
      return ends;
    },

    /** Blocks and skips that continue what is stored up to `end`, or null when something earlier is missing. */
    async continued(
      partition: number,
      conversation: string,
      part: Part,
      end: number,
      repeated: boolean,
    ): Promise<Piece | null> {
      let last = end;
      const again = part.messages.filter(({ seq }) => seq <= last);
      if (again.length > 0) await compareStored(partition, conversation, again);
      const skips = part.skips
        .filter(({ toSeq }) => toSeq > last)
        .map(({ fromSeq, toSeq }) => ({ conversation, fromSeq, toSeq }));
      const fresh = part.messages.filter(({ seq }) => seq > last);
      let nextSkip = 0;
      for (const { seq } of fresh) {
        while (skips[nextSkip] !== undefined && skips[nextSkip]!.toSeq < seq)
          last = Math.max(last, skips[nextSkip++]!.toSeq);
        if (seq > last + 1) {
          if (!repeated) return null;
          // Nothing earlier is pending and history does not have it: record it as skipped, so that readers are told.
          log.error({ event: 'history_hole', conversation, fromSeq: last + 1, toSeq: seq - 1 });
          skips.push({ conversation, fromSeq: last + 1, toSeq: seq - 1 });
        }
        last = seq;
      }
      const newEnd = Math.max(last, ...skips.map(({ toSeq }) => toSeq));
      return { conversation, blocks: toBlocks(conversation, fresh, pace?.packs(partition)), skips, end: newEnd };
    },

    /**
     * Writes one block of each conversation a call, so that each is written after its predecessor is stored. A skip
     * goes between the blocks that it lies between, since it counts as stored up to its end. `first` goes with the
     * first call. Resolves false when a place was taken: the conversation's entries must be read again.
     */
    async writeChained(partition: number, first: ArchiveWrite, pieces: Piece[]): Promise<boolean> {
      const pacing = pace?.packs(partition) === true ? 'packing' : 'calm';
      const rounds = Math.max(
        1,
        ...pieces.map((piece) => piece.blocks.length + (skipsBefore(piece, piece.blocks.length).length > 0 ? 1 : 0)),
      );
      const { epoch, progress } = first;
      for (let round = 0; round < rounds; round++) {
        const writing = pieces.filter(({ blocks }) => blocks[round] !== undefined);
        const blocks = writing.map((piece) => piece.blocks[round]!);
        const skips = pieces.flatMap((piece) => skipsBefore(piece, round));
        let taken = false;
        const began = monotonicMs();
        try {
          const outcomes = await history.write(
            round === 0 ? { ...first, skips, blocks } : { ...emptyWrite, epoch, progress, skips, blocks },
          );
          pace?.stored(partition, monotonicMs() - began);
          metrics?.storeCalls.inc({ pace: pacing });
          metrics?.storeMessages.inc(
            { pace: pacing },
            blocks.reduce((sum, { texts }) => sum + texts.length, 0),
          );
          taken = outcomes.includes('taken');
        } catch (thrown) {
          for (const { conversation } of pieces) lastStored.delete(conversation);
          throw thrown;
        }
        if (taken) {
          for (const { conversation } of pieces) lastStored.delete(conversation);
          return false;
        }
      }
      for (const { conversation, end } of pieces) lastStored.set(conversation, end);
      return true;
    },

    /** Something was written of the conversation that is no part of a batch. */
    forget: (conversation: string): void => void lastStored.delete(conversation),
  };
}
