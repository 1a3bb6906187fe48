import pLimit from 'p-limit';
import type { ArchiveWrite, HistoryStore } from '../../shared/history/store.ts';
import { type Entry, hasText } from '../../shared/model/entry.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import type { Conversations } from '../../shared/redis/conversations/conversations.ts';
import type { Recent } from '../../shared/redis/conversations/recent.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import type { SearchNotices } from '../../shared/redis/search-notices.ts';
import type { Bury } from '../dead-letter-writer.ts';
import type { Handled, Handler } from '../stream/handler.ts';
import { lastRun } from './blocks.ts';
import { createChain, emptyWrite, type Piece } from './chain.ts';
import { createCollecting } from './collect.ts';
import { storedPublishes } from './notices.ts';
import type { Pace } from './pace.ts';

const readsAtOnce = 16;

/**
 * Everything accepted before this moment (ms since 1970) is stored once these entries are. 0: entries without a message
 * say nothing. The time in a stream id is no time of acceptance: after a loss ids are a minute ahead of the clock.
 */
const completeAt = (entries: Entry[]): number => {
  const times = entries.flatMap((entry) => (hasText(entry) ? [entry.at] : []));
  return times.length === 0 ? 0 : times.reduce((least, at) => Math.min(least, at));
};

/**
 * Group `history`: writes every message into the store, as blocks of consecutive seqs (chain.ts), and the rows of
 * conversations and members (collect.ts). A batch is settled only after the store has confirmed. The
 * store takes it only in the epoch in which it was read: after a loss its messages may have been accepted anew.
 */
export function createArchive(parts: {
  history: HistoryStore;
  read: Conversations['read'];
  /** The founding members of a very large group, in parts. */
  founders: Conversations['founders'];
  bury: Bury;
  log: Logger;
  /** Says whether the blocks of a partition are packed now, and is told how long the store took (ms), and who waits. */
  pace?: Pick<Pace, 'packs' | 'stored' | 'awaited'>;
  /** Where readers find the newest messages after they are settled here. */
  recent?: Pick<Recent, 'extend'>;
  /** Told of every conversation of which something was stored. Returns at once. */
  notices?: Pick<SearchNotices, 'written'>;
  metrics?: Pick<Metrics, 'storeCalls' | 'storeMessages'>;
  /** The channel of a gateway, which may wait for messages. */
  keys?: Pick<Keys, 'push'>;
}): Handler {
  const { history, log, recent, keys } = parts;
  const chain = createChain(parts);
  const collect = createCollecting(parts);
  const limit = pLimit(readsAtOnce);

  /** Before the entries are settled, so that a message is always in one of the two places where readers look. */
  async function tellReaders(partition: number, pieces: Piece[]): Promise<void> {
    const runs = pieces.flatMap(({ conversation, blocks }) => lastRun(conversation, blocks));
    await recent?.extend(partition, runs).catch((thrown: unknown) => {
      log.debug({ event: 'recent_failed', partition, reason: reason(thrown) });
    });
  }

  return {
    async handle(partition, entries, repeated, epoch): Promise<Handled> {
      const newest = entries.at(-1)!.streamId;
      const write: ArchiveWrite = {
        ...emptyWrite,
        progress: { partition, streamId: newest, completeAt: completeAt(entries) },
        epoch,
        conversations: [],
        members: [],
        amendments: [],
      };
      const byConversation = await collect(partition, entries, write);
      const ends = await chain.storedEnds([...byConversation.keys()], repeated);
      const pieces = await Promise.all(
        [...byConversation].map(([conversation, part]) =>
          limit(() => chain.continued(partition, conversation, part, ends.get(conversation)!, repeated)),
        ),
      );
      if (pieces.includes(null)) return 'again';
      if (!(await chain.writeChained(partition, write, pieces as Piece[]))) return 'again';
      parts.notices?.written(byConversation.keys());
      await tellReaders(partition, pieces as Piece[]);
      const publish = keys === undefined ? [] : storedPublishes(keys, partition, entries, ends);
      // Publishes go out with the next read, which must not wait then.
      if (publish.length > 0) parts.pace?.awaited(partition);
      return { settle: entries.map(({ streamId }) => streamId), publish };
    },

    /** Leaves a slot without a body: readers are told that the seq is absent, until a replay fills it. */
    async settlePoison(partition, entry, epoch): Promise<void> {
      const progress = { partition, streamId: entry.streamId, completeAt: completeAt([entry]) };
      const passed = { ...emptyWrite, epoch, progress };
      if (!hasText(entry)) return void (await history.write(passed));
      const { conversation, seq } = entry;
      await history.write({ ...passed, skips: [{ conversation, fromSeq: seq, toSeq: seq }] });
      chain.forget(conversation);
    },

    async idle(partition, lastId, since, epoch): Promise<void> {
      await history.write({ ...emptyWrite, epoch, progress: { partition, streamId: lastId, completeAt: since } });
    },
  };
}
