import type { Redis } from 'ioredis';
import type { Amendment } from '../../model/amendment.ts';
import { amendmentOf, hasText, readEntry } from '../../model/entry.ts';
import { Refusal, retryLater } from '../../model/errors.ts';
import { mostJoinings, mostMembers } from '../../model/limits.ts';
import { messageTail, messageText } from '../../model/message-text.ts';
import {
  type ConversationChange,
  type ConversationInfo,
  type MembershipAction,
  membershipKind,
  type SeqRange,
  type Span,
} from '../../model/model.ts';
import { decodeSpans } from '../../model/spans.ts';
import type { Wrote } from '../../model/wrote.ts';
import { orRetryLater } from '../failures.ts';
import type { Keys } from '../keys.ts';
import { run } from '../scripts.ts';
import { createAsking, type Help } from './asking.ts';
import { createCreating } from './creating.ts';
import { decodeSkips } from './install-form.ts';
import { createInstalling } from './installing.ts';
import { createMembers } from './members.ts';
import { recentLimits, type RecentTexts } from './recent.ts';
import { createStaging } from './staging.ts';

/** A conversation as Redis holds it now. */
export type LiveConversation = {
  info: ConversationInfo;
  lastSeq: number;
  memberCount: number;
  skips: SeqRange[];
  /** Of a large group: the newest seqs that do not count as unread, amendments and recalled messages. */
  quiet: SeqRange[];
  /** The spans of the user asked for; of a direct conversation's two users one endless span. */
  spans: Span[];
  /** Texts of the messages that the archive has not settled, by seq, when asked for. */
  unsettled: Map<number, string>;
  /** Those of them that amend other messages, in their order. */
  amendments: Amendment[];
  /** The seq of its newest amendment; 0: none. */
  amendSeq: number;
  /** Cached texts of its newest archived messages, if asked for; null: none. */
  recent: RecentTexts | null;
};

/** The page whose cached texts are wanted: at most `most` before or after a seq, or the newest. */
export type RecentAsk = { before?: number | undefined; after?: number | undefined; most: number };

type FoundReply = [
  'found',
  string,
  string,
  'direct' | 'group',
  string,
  string,
  string,
  string,
  string,
  string,
  string,
  string[],
  string,
  (string | null)[],
  string,
  string,
  string,
];

function decodeRecent([low, high, bytes, from, ...texts]: (string | null)[]): RecentTexts | null {
  if (low === undefined) return null;
  const bySeq = texts.flatMap((text, i): [number, string][] => (text === null ? [] : [[Number(from) + i, text]]));
  return { low: Number(low), high: Number(high), bytes: Number(bytes), texts: new Map(bySeq) };
}

const endless: Span[] = [{ joined: 0, left: null }];

/** Most stream entries that a history page may have to look through for those not archived yet. */
const mostUnsettledRead = 5000;

/**
 * Conversations and their members in the partition's slot, where membership has one order with the messages.
 */
export function createConversations(
  redis: Redis,
  keys: Keys,
  limits: {
    /** Members above which the messages of a group have no inbox entries. */
    mostInInboxes: number;
    /** Unsettled entries of a partition above which nothing more is written into it. */
    mostUnsettled: number;
  },
  help: Help,
) {
  const slotKeys = (id: string): string[] => {
    const partition = keys.partitionOf(id);
    return [
      keys.partitionSlot(partition),
      keys.messages(partition),
      keys.conversation(partition, id),
      keys.members(partition, id),
    ];
  };

  const asked = createAsking(help);
  const staging = createStaging(redis, keys);

  return {
    ...createMembers(redis, keys, asked),
    ...createCreating(redis, keys, limits, staging, asked, help.seen),
    ...createInstalling(redis, keys, staging, help),

    /**
     * Which users of a direct conversation have written, as far as Redis knows. It says nothing of what Redis has lost:
     * a load asks history.
     */
    async wrote(id: string): Promise<Wrote> {
      const key = keys.conversation(keys.partitionOf(id), id);
      return ((await orRetryLater(redis.hget(key, 'wrote'))) ?? '') as Wrote;
    },

    /**
     * The newest amendment of each of these conversations, as far as Redis knows; 0: of none. It counts whatever Redis
     * has lost: it stands in history or in what came back of the stream.
     */
    async amendSeqs(ids: string[]): Promise<number[]> {
      const pipeline = redis.pipeline();
      for (const id of ids) pipeline.hget(keys.conversation(keys.partitionOf(id), id), 'amendSeq');
      const replies = await orRetryLater(pipeline.exec());
      return replies!.map(([error, value]) => {
        if (error) throw retryLater('storage is not available', error);
        return Number(value ?? 0);
      });
    },

    /** Rejects with `not_found`, or `retry_later` when too much of it is not archived yet to be read. */
    async read(
      id: string,
      want: { user?: string; unsettled?: boolean; recent?: RecentAsk } = {},
    ): Promise<LiveConversation> {
      const partition = keys.partitionOf(id);
      const { before = '', after = '', most = 0 } = want.recent ?? {};
      const args = [
        id,
        want.user ?? '',
        want.unsettled ? mostUnsettledRead : 0,
        most,
        before,
        after,
        recentLimits.stayMs,
      ];
      const reply = (await asked(id, () =>
        run<string[]>(redis, 'read-conversation', [...slotKeys(id), keys.recent(partition, id)], args),
      )) as unknown as FoundReply;
      if ((reply[0] as string) === 'behind') throw retryLater('history is being written');
      const [, seq, version, kind, name, createdAt, service, users, count, skips, spans, entries, ...more] = reply;
      const [historyDays, recent, amendSeq, creator, quiet] = more;
      const two = users === '' ? null : (users.split(',') as [string, string]);
      const unsettled = new Map<number, string>();
      const amendments: Amendment[] = [];
      for (let i = 0; i < entries.length; i += 5) {
        const [streamId = '', routing = '', rest = '', time = '', body = ''] = entries.slice(i, i + 5);
        const entry = readEntry(streamId, ['r', routing, 't', rest, 'a', time, 'b', body]);
        if (!hasText(entry)) continue;
        unsettled.set(entry.seq, messageText(partition, entry));
        if (entry.type === 'amended') amendments.push(amendmentOf(entry));
      }
      // A reader is told of messages that perhaps nobody else alive has seen.
      const newest = entries.at(-5);
      if (newest !== undefined) help.seen(partition, newest);
      return {
        info: {
          id,
          kind,
          name: name === '' ? null : name,
          createdAt: Number(createdAt),
          service: service === '1',
          users: two,
          historyDays: historyDays === '' ? null : Number(historyDays),
          ...(creator === '' ? {} : { creator }),
          version: Number(version),
        },
        lastSeq: Number(seq),
        memberCount: two && two[0] === two[1] ? 1 : Number(count),
        skips: decodeSkips(skips),
        quiet: decodeSkips(quiet),
        spans: two ? (want.user !== undefined && two.includes(want.user) ? endless : []) : decodeSpans(spans ?? ''),
        unsettled,
        amendments,
        amendSeq: Number(amendSeq),
        recent: decodeRecent(recent),
      };
    },

    /**
     * Adds or removes a member; none is added to a group of `most`. Resolves whether anything changed. `clientId` names
     * the membership message.
     */
    async changeMember(
      id: string,
      operation: 'join' | 'leave',
      actor: { user: string; service: boolean },
      user: string,
      clientId: string,
      most = mostMembers,
    ): Promise<boolean> {
      const action: MembershipAction = operation === 'join' ? 'joined' : actor.user === user ? 'left' : 'removed';
      const tail = messageTail(actor.user, clientId, membershipKind, JSON.stringify({ user, action }), 'normal');
      const reply = await asked(id, () =>
        run<string>(
          redis,
          'change-member',
          [...slotKeys(id), keys.merged(keys.partitionOf(id), id), keys.listed(keys.partitionOf(id), id)],
          [
            id,
            operation,
            actor.user,
            actor.service ? '1' : '0',
            user,
            action,
            tail,
            most,
            limits.mostInInboxes,
            mostJoinings,
            limits.mostUnsettled,
          ],
        ),
      );
      if (reply === 'too_large')
        throw new Refusal(
          'too_large',
          `a group has at most ${most} members${most < mostMembers ? ' unless a back end adds more' : ''}`,
        );
      if (reply === 'spent')
        throw new Refusal(
          'too_large',
          `${user} has joined this group ${mostJoinings} times: only a service can add it again`,
        );
      if (reply === 'unchanged') return false;
      help.seen(keys.partitionOf(id), reply.split(' ')[2]!);
      return true;
    },

    /**
     * Changes what is given and differs. Rejects with `forbidden` for the name of a direct conversation, and for days
     * unless a service sets them.
     */
    async change(id: string, actor: { user: string; service: boolean }, what: ConversationChange): Promise<void> {
      const { name, historyDays } = what;
      const reply = await asked(id, () =>
        run<string>(redis, 'change-conversation', slotKeys(id), [
          id,
          actor.user,
          actor.service ? '1' : '0',
          name === undefined ? '0' : '1',
          name ?? '',
          historyDays === undefined ? '0' : '1',
          historyDays ?? '',
          JSON.stringify(what),
          limits.mostUnsettled,
        ]),
      );
      if (reply !== 'unchanged') help.seen(keys.partitionOf(id), reply.split(' ')[1]!);
    },
  };
}

export type Conversations = ReturnType<typeof createConversations>;
