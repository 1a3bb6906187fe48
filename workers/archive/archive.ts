import { LRUCache } from 'lru-cache';
import pLimit from 'p-limit';
import type { ArchiveWrite, Block, HistoryStore, MemberRow, SkipRow } from '../../shared/history/store.ts';
import type { CreatedEntry, Entry, FoundedEntry, RenamedEntry, SkippedEntry } from '../../shared/model/entry.ts';
import { Refusal } from '../../shared/model/errors.ts';
import { messageText, readHead, acceptedAt } from '../../shared/model/message-text.ts';
import type { ConversationInfo } from '../../shared/model/model.ts';
import { decodeSpans } from '../../shared/model/spans.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import type { Conversations } from '../../shared/redis/conversations/conversations.ts';
import type { Recent } from '../../shared/redis/conversations/recent.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import type { Bury } from '../dead-letter-writer.ts';
import type { Handled, Handler } from '../stream/handler.ts';
import { type ArchiveMessage, lastRun, toBlocks } from './blocks.ts';
import type { Pace } from './pace.ts';

/** What one batch holds of one conversation. */
type Part = { messages: ArchiveMessage[]; skips: SkippedEntry[] };

/** What is to be written of it; `end` is its last seq afterwards. */
type Piece = { conversation: string; blocks: Block[]; skips: SkipRow[]; end: number };

/** The skips that stand right before a block of a piece; behind the last one for the index after it. */
function skipsBefore({ blocks, skips }: Piece, index: number): SkipRow[] {
  const after = blocks[index - 1]?.lastSeq ?? 0;
  const before = blocks[index]?.firstSeq ?? (index === blocks.length ? Infinity : 0);
  return skips.filter(({ fromSeq }) => fromSeq > after && fromSeq < before);
}

const nothing: ArchiveWrite = { progress: null, conversations: [], members: [], skips: [], blocks: [] };

const readsAtOnce = 16;

/**
 * Whatever was accepted before is in the store once these entries are: ms since 1970. Their own times may fall where
 * Redis' clock did.
 */
const completeAt = (entries: Entry[]): number =>
  entries.reduce(
    (least, entry) => (entry.type === 'message' ? Math.min(least, entry.at) : least),
    acceptedAt(entries[0]!.streamId),
  );
/** So many members of a very large group are written in one call. */
const foundersInWrite = 5000;

/**
 * Group `history`: writes every message into the store, as blocks of consecutive seqs, and the rows of conversations
 * and members. Settled only after the store has confirmed.
 *
 * The chain rule: what is stored last of a conversation is known only from an insert of one's own that succeeded, or
 * from the stored block. If a batch begins lower, the part that is stored is compared by id and dropped; if it begins
 * higher, nothing is written and the pending entries are read again. A place that was taken makes the conversation
 * start over from the store, and so does every batch that begins with the oldest unsettled entry: another process may
 * have owned the partition in between.
 */
export function createArchive(parts: {
  history: HistoryStore;
  read: Conversations['read'];
  /** Who a very large group was created with. */
  founders: Conversations['founders'];
  bury: Bury;
  log: Logger;
  /** Whether the blocks of a partition are packed now, and whom it tells how long the store took (ms). */
  pace?: Pick<Pace, 'packs' | 'stored'>;
  /** Where readers find the newest messages after they are settled here. */
  recent?: Pick<Recent, 'extend'>;
  metrics?: Pick<Metrics, 'storeCalls' | 'storeMessages'>;
}): Handler {
  const { history, bury, log, pace, recent, metrics } = parts;
  /** The last seq stored of a conversation, as the chain rule allows it to be known. */
  const lastStored = new LRUCache<string, number>({ max: 100_000 });
  const limit = pLimit(readsAtOnce);

  /**
   * The last seq stored of each conversation; what is not known is asked for in one call. `anew`: what was known may be
   * of a time before another process owned the partition.
   */
  async function storedEnds(conversations: string[], anew: boolean): Promise<Map<string, number>> {
    const ends = new Map<string, number>();
    for (const conversation of anew ? [] : conversations) {
      const known = lastStored.get(conversation);
      if (known !== undefined) ends.set(conversation, known);
    }
    const unknown = conversations.filter((conversation) => !ends.has(conversation));
    if (unknown.length === 0) return ends;
    const stored = await history.lastSeqs(unknown);
    for (const conversation of unknown) ends.set(conversation, stored.get(conversation) ?? 0);
    return ends;
  }

  /**
   * Messages that history holds already must be the same ones: another id under the same seq means a number was given
   * twice.
   */
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

  /** Blocks and skips that continue what is stored up to `end`, or null when something earlier is missing. */
  async function continued(
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
        // Nothing earlier is pending and history does not have it: it is recorded as skipped, so that readers are told.
        log.error({ event: 'history_hole', conversation, fromSeq: last + 1, toSeq: seq - 1 });
        skips.push({ conversation, fromSeq: last + 1, toSeq: seq - 1 });
      }
      last = seq;
    }
    const newEnd = Math.max(last, ...skips.map(({ toSeq }) => toSeq));
    return { conversation, blocks: toBlocks(conversation, fresh, pace?.packs(partition)), skips, end: newEnd };
  }

  /**
   * Writes one block of each conversation a call, so that a block is written only when the one before it is known to be
   * stored, and a skip between the blocks that it stands between: it counts as stored up to its end. Resolves false
   * when a place was taken: what that conversation holds must be read again.
   */
  async function writeChained(partition: number, first: ArchiveWrite, pieces: Piece[]): Promise<boolean> {
    const pacing = pace?.packs(partition) === true ? 'packing' : 'calm';
    const rounds = Math.max(
      1,
      ...pieces.map((piece) => piece.blocks.length + (skipsBefore(piece, piece.blocks.length).length > 0 ? 1 : 0)),
    );
    for (let round = 0; round < rounds; round++) {
      const writing = pieces.filter(({ blocks }) => blocks[round] !== undefined);
      const blocks = writing.map((piece) => piece.blocks[round]!);
      const skips = pieces.flatMap((piece) => skipsBefore(piece, round));
      let taken = false;
      const began = monotonicMs();
      try {
        const outcomes = await history.write(round === 0 ? { ...first, skips, blocks } : { ...nothing, skips, blocks });
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
  }

  /** Before the entries are settled, so that what somebody reads is at every moment in one of the two places. */
  async function tellReaders(partition: number, pieces: Piece[]): Promise<void> {
    const runs = pieces.flatMap(({ conversation, blocks }) => lastRun(conversation, blocks));
    await recent?.extend(partition, runs).catch((thrown: unknown) => {
      log.debug({ event: 'recent_failed', partition, reason: reason(thrown) });
    });
  }

  const createdInfo = (entry: CreatedEntry | FoundedEntry, users: CreatedEntry['users']): ConversationInfo => ({
    id: entry.conversation,
    kind: users ? 'direct' : 'group',
    name: entry.name,
    createdAt: entry.createdAt,
    service: entry.service,
    users,
    historyDays: null,
    version: entry.version,
  });

  const createdMembers = (
    { conversation, version, joined }: CreatedEntry | FoundedEntry,
    users: Iterable<string>,
  ): MemberRow[] =>
    [...new Set(users)].map((user) => ({ conversation, user, spans: [{ joined, left: null }], version }));

  /** The members before the conversation: who reads it then has all of them. */
  async function founded(partition: number, entry: FoundedEntry, write: ArchiveWrite): Promise<void> {
    const { conversation, streamId } = entry;
    let users: string[] = [];
    let found = 0;
    const writeUsers = async (): Promise<void> => {
      await history.write({ ...nothing, members: createdMembers(entry, users) });
      found += users.length;
      users = [];
    };
    for await (const part of parts.founders(entry)) {
      users.push(...part);
      if (users.length >= foundersInWrite) await writeUsers();
    }
    if (users.length > 0) await writeUsers();
    if (found > 0) write.conversations.push(createdInfo(entry, null));
    else
      await bury({
        reason: 'no_conversation',
        partition,
        group: 'history',
        streamId,
        error: 'its members are nowhere',
        content: conversation,
        subject: { conversation },
      });
  }

  /** The row as it is now, which may be newer than the entry: rows only move forward. */
  async function renamed(
    partition: number,
    { conversation, streamId }: RenamedEntry,
    write: ArchiveWrite,
  ): Promise<void> {
    try {
      write.conversations.push((await parts.read(conversation)).info);
    } catch (thrown) {
      if (!(thrown instanceof Refusal) || thrown.code !== 'not_found') throw thrown;
      await bury({
        reason: 'no_conversation',
        partition,
        group: 'history',
        streamId,
        error: 'its conversation is nowhere',
        content: conversation,
        subject: { conversation },
      });
    }
  }

  async function collect(partition: number, entries: Entry[], write: ArchiveWrite): Promise<Map<string, Part>> {
    const byConversation = new Map<string, Part>();
    const partOf = (conversation: string): Part => {
      let found = byConversation.get(conversation);
      if (found === undefined) byConversation.set(conversation, (found = { messages: [], skips: [] }));
      return found;
    };
    for (const entry of entries) {
      switch (entry.type) {
        case 'message': {
          const { conversation, seq, streamId, at, change } = entry;
          partOf(conversation).messages.push({ seq, streamId, at, text: messageText(partition, entry) });
          if (change)
            write.members.push({
              conversation,
              user: change.user,
              spans: decodeSpans(change.spans),
              version: entry.version,
            });
          break;
        }
        case 'created':
          write.conversations.push(createdInfo(entry, entry.users));
          write.members.push(...createdMembers(entry, entry.users ?? entry.members));
          break;
        case 'founded':
          await founded(partition, entry, write);
          break;
        case 'renamed':
          await renamed(partition, entry, write);
          break;
        case 'skipped':
          partOf(entry.conversation).skips.push(entry);
          break;
        case 'unknown':
          await bury({
            reason: 'unknown_format',
            partition,
            group: 'history',
            streamId: entry.streamId,
            error: 'unknown entry format',
            content: JSON.stringify(entry.fields),
          });
          break;
      }
    }
    return byConversation;
  }

  return {
    async handle(partition, entries, repeated): Promise<Handled> {
      const newest = entries.at(-1)!.streamId;
      const write: ArchiveWrite = {
        ...nothing,
        progress: { partition, streamId: newest, completeAt: completeAt(entries) },
        conversations: [],
        members: [],
      };
      const byConversation = await collect(partition, entries, write);
      const ends = await storedEnds([...byConversation.keys()], repeated);
      const pieces = await Promise.all(
        [...byConversation].map(([conversation, part]) =>
          limit(() => continued(partition, conversation, part, ends.get(conversation)!, repeated)),
        ),
      );
      if (pieces.includes(null)) return 'again';
      if (!(await writeChained(partition, write, pieces as Piece[]))) return 'again';
      await tellReaders(partition, pieces as Piece[]);
      return { settle: entries.map(({ streamId }) => streamId), publish: [] };
    },

    /** A slot without a body: readers are told that the seq is absent, until a replay fills it. */
    async settlePoison(_partition, entry): Promise<void> {
      if (entry.type !== 'message') return;
      const { conversation, seq } = entry;
      await history.write({ ...nothing, skips: [{ conversation, fromSeq: seq, toSeq: seq }] });
      lastStored.delete(conversation);
    },

    async idle(partition, lastId, since): Promise<void> {
      await history.write({ ...nothing, progress: { partition, streamId: lastId, completeAt: since } });
    },
  };
}
