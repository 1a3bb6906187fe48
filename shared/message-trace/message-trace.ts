import type { Redis } from 'ioredis';
import type { HistoryStore } from '../history/store.ts';
import type { JobQueue } from '../jobs/queues.ts';
import { type DeadLetter, withoutContent } from '../model/dead-letter.ts';
import { hasText, readEntry, type Way } from '../model/entry.ts';
import { badRequest, Refusal } from '../model/errors.ts';
import { type GroupName, groupNames } from '../model/groups.ts';
import { acceptedAt, messageText, parseMessage } from '../model/message-text.ts';
import { type Message, noDevice, type Span } from '../model/model.ts';
import { covers } from '../model/spans.ts';
import { createConversations } from '../redis/conversations/conversations.ts';
import type { DeadLetters } from '../redis/dead-letters.ts';
import type { Keys } from '../redis/keys.ts';
import { amendedStep, amendsStep } from './amendments.ts';
import { traceMember } from './members.ts';
import type { GroupStep, MemberStep, Trace } from './trace.ts';

const idOf = /^(\d{1,4})-(\d{1,15}-\d{1,15})$/;
const mostMembers = 100;
/** Maximum blocks, over all conversations, that are searched for a message of which only the id is known. */
const mostBlocks = 5000;
/** Maximum dead letters about devices and users that are searched, the newest first. */
const mostLetters = 200;

/** A message as its entry, or a dead letter about it, describes it. */
type Found = { message: Message; device: string | null; way: Way | null };

/**
 * Finds where a message is, by its id. Reads only: nothing is loaded or moved. If its entry was trimmed, the blocks of
 * its time are searched. If those are too many, the conversation's id leads to it at once.
 */
export function createMessageTrace(parts: {
  redis: Redis;
  keys: Keys;
  history: HistoryStore;
  deadLetters: DeadLetters;
  deliveries: JobQueue;
}) {
  const { redis, keys, history, deadLetters } = parts;
  const conversations = createConversations(
    redis,
    keys,
    { mostInInboxes: Infinity, mostUnsettled: 0 },
    { load: async () => false, closed: () => undefined, seen: () => undefined },
  );

  async function groupStep(
    partition: number,
    group: GroupName,
    streamId: string,
    inStream: boolean,
  ): Promise<GroupStep> {
    const stream = keys.messages(partition);
    const [pending] = (await redis.xpending(stream, group, streamId, streamId, 1)) as [
      string,
      string,
      number,
      number,
    ][];
    if (pending !== undefined) return { state: 'pending', consumer: pending[1], idleMs: pending[2], reads: pending[3] };
    const groups = (await redis.xinfo('GROUPS', stream)) as (string | number)[][];
    const found = groups.find((fields) => fields[fields.indexOf('name') + 1] === group);
    const last = found === undefined ? '0-0' : String(found[found.indexOf('last-delivered-id') + 1]);
    if (isAtLeast(last, streamId)) return { state: 'settled' };
    // Trimming removes only entries that all groups have settled. If one is missing earlier, the stream was lost.
    return { state: inStream ? 'unread' : 'lost' };
  }

  async function inHistory(id: string, conversation: string, fromSeq: number, toSeq: number) {
    for (const { firstSeq, lastSeq, texts } of await history.blocks(conversation, fromSeq, toSeq, 'oldest', 10)) {
      const text = texts.find((one) => one.startsWith(`{"id":"${id}",`));
      if (text !== undefined) return { message: parseMessage(text), text, block: { firstSeq, lastSeq } };
    }
    return null;
  }

  async function searchHistory(id: string, partition: number, at: number, conversation: string | undefined) {
    if (conversation !== undefined) {
      const blocks = await history.blocksSince(conversation, at, 0, 10);
      return blocks.length === 0 ? null : inHistory(id, conversation, blocks[0]!.firstSeq, blocks.at(-1)!.lastSeq);
    }
    for (const block of await history.blocksAround(at, mostBlocks)) {
      if (keys.partitionOf(block.conversation) !== partition) continue;
      const found = await inHistory(id, block.conversation, block.firstSeq, block.lastSeq);
      if (found !== null) return found;
    }
    return null;
  }

  const textOf = (partition: number, streamId: string, fields: string[]): Found | null => {
    const entry = readEntry(streamId, fields);
    if (!hasText(entry)) return null;
    const message = parseMessage(messageText(partition, entry));
    return { message, device: entry.device === noDevice ? null : entry.device, way: entry.way };
  };

  /** The parts of an entry that a dead letter about it still holds. */
  function ofLetter(partition: number, streamId: string, { content = '' }: DeadLetter): Found | null {
    if (content.startsWith('{"id":')) return { message: parseMessage(content), device: null, way: null };
    return content.startsWith('[') ? textOf(partition, streamId, JSON.parse(content) as string[]) : null;
  }

  /** A conversation stays large from `large` on, so every later message belongs to a large group. */
  async function wayOf(conversation: string, seq: number): Promise<Way | null> {
    const since = await redis.hget(keys.conversation(keys.partitionOf(conversation), conversation), 'large');
    return since !== null && seq > Number(since) ? 'large' : null;
  }

  async function membersAt(conversation: string, seq: number): Promise<string[]> {
    const members: Iterable<[string, readonly Span[]]> = await conversations.read(conversation).then(
      async ({ info: { users } }) =>
        users === null
          ? (await conversations.members(conversation)).spans
          : users.map((user): [string, Span[]] => [user, [{ joined: 0, left: null }]]),
      async () =>
        ((await history.conversation(conversation))?.members ?? []).map(({ user, spans }): [string, Span[]] => [
          user,
          spans,
        ]),
    );
    return [...members].filter(([, spans]) => spans.some((span) => covers(span, seq))).map(([user]) => user);
  }

  async function lettersOf(members: readonly MemberStep[]): Promise<DeadLetter[]> {
    const pages = await Promise.all(
      (['undelivered', 'unnotified'] as const).map((reason) => deadLetters.list({ reason, limit: mostLetters })),
    );
    const positions = new Map(
      members.flatMap(({ user, inbox }) => ('position' in inbox ? [[user, inbox.position] as const] : [])),
    );
    return pages
      .flatMap((page) => page.deadLetters)
      .filter(({ subject: { user, received = 0, sent, head } }) => {
        const position = positions.get(String(user));
        return position !== undefined && Number(received) < position && position <= Number(sent ?? head);
      });
  }

  /** Rejects with `bad_request` if the id is not that of a message, and with `not_found` if no store knows it. */
  return async function trace(id: string, conversation?: string): Promise<Trace> {
    const [, partitionText, streamId] = idOf.exec(id) ?? [];
    const partition = Number(partitionText);
    if (streamId === undefined || partition >= keys.partitions)
      throw badRequest('the id of a message is <partition>-<entry>, as in its field `id`');
    const at = acceptedAt(streamId);
    const [entries, ...letters] = await Promise.all([
      redis.xrange(keys.messages(partition), streamId, streamId),
      ...groupNames.map((group) => deadLetters.find(`${group}-${partition}-${streamId}`)),
    ]);
    const own = letters.filter((letter) => letter !== null);
    const [entry] = entries as [string, string[]][];
    const live = entry === undefined ? null : textOf(partition, streamId, entry[1]);
    const found =
      live ?? own.map((letter) => ofLetter(partition, streamId, letter)).find((one) => one !== null) ?? null;
    const stored =
      found === null
        ? await searchHistory(id, partition, at, conversation)
        : await inHistory(id, found.message.conversation, found.message.seq, found.message.seq);
    const message = found?.message ?? stored?.message;
    if (message === undefined) {
      const blocks =
        conversation === undefined
          ? `not in the ${mostBlocks} blocks that end next after it (its conversation's name leads further)`
          : 'not in the blocks of its time of this conversation';
      throw new Refusal('not_found', `no such message: not in the stream, not among the dead letters, ${blocks}`);
    }
    const inStream = entry !== undefined;
    // Read this before the members. Appending precedes settling, so a message missing in an inbox afterwards will not
    // come.
    const fanout = await groupStep(partition, 'inbox', streamId, inStream);
    const isComing = fanout.state === 'unread' || fanout.state === 'pending';
    const way = found?.way ?? (await wayOf(message.conversation, message.seq));
    const members = await membersAt(message.conversation, message.seq);
    const shown = await Promise.all(
      members
        .slice(0, mostMembers)
        .map((user) => traceMember(parts, user, message.conversation, message.seq, way, isComing)),
    );
    const [archive, others, amended, amends] = await Promise.all([
      groupStep(partition, 'history', streamId, inStream),
      lettersOf(shown),
      amendedStep(history, message, stored?.text ?? null),
      amendsStep(history, message),
    ]);
    return {
      id,
      partition,
      streamId,
      conversation: message.conversation,
      seq: message.seq,
      sender: message.sender,
      kind: message.kind,
      class: message.class,
      way,
      at: message.at,
      device: found?.device ?? null,
      inStream,
      fanout,
      archive,
      history: stored?.block ?? null,
      amends,
      amended,
      memberCount: members.length,
      members: shown,
      deadLetters: [...own, ...others].map(withoutContent),
    };
  };
}

export type MessageTrace = ReturnType<typeof createMessageTrace>;

function isAtLeast(one: string, other: string): boolean {
  const [ms, n] = one.split('-').map(Number) as [number, number];
  const [otherMs, otherN] = other.split('-').map(Number) as [number, number];
  return ms > otherMs || (ms === otherMs && n >= otherN);
}
