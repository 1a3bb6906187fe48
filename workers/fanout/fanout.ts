import type { Redis } from 'ioredis';
import type { CreatedEntry, Entry, FoundedEntry, MessageEntry } from '../../shared/model/entry.ts';
import { Refusal } from '../../shared/model/errors.ts';
import { messageText, readHead } from '../../shared/model/message-text.ts';
import { decodeSpans } from '../../shared/model/spans.ts';
import type { Logger } from '../../shared/process/log.ts';
import type { Conversations } from '../../shared/redis/conversations/conversations.ts';
import {
  appendToInboxes,
  type InboxAppend,
  type InboxRun,
  type InboxText,
  type Mark,
  type Role,
  type RunOutcome,
} from '../../shared/redis/inboxes/inbox-appends.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { createPushes, type Publish } from '../../shared/redis/push-bus.ts';
import type { Bury } from '../dead-letter-writer.ts';
import type { Handled, Handler } from '../stream/handler.ts';
import type { Recipient, Recipients } from './recipients.ts';

/**
 * One batch, or a part of one, on its way into the inboxes; `large` has no way into them. Of one conversation it holds
 * messages of only one of the two ways, since they are published apart: `isLarge` says of which.
 */
type Batch = {
  texts: InboxText[];
  runs: InboxRun[];
  runOf: Map<string, InboxRun>;
  size: number;
  large: { entry: MessageEntry; text: string }[];
  isLarge: Map<string, boolean>;
};

/** A part of a batch goes out after so many appends: it has to be done within the time that a command may take. */
const appendsInPart = 5000;
/** So many members of a very large group are told at once that they are in it: others' calls come between these. */
const foundersInPart = 2000;

/**
 * Up to so many runs the appending script pushes by itself: fewer ways through Redis. Above, one publish for each
 * gateway.
 */
const mostPushedAtOnce = 16;

const emptyBatch = (): Batch => ({ texts: [], runs: [], runOf: new Map(), size: 0, large: [], isLarge: new Map() });

function add(batch: Batch, user: string, conversation: string, append: InboxAppend): void {
  const name = `${user} ${conversation}`;
  let run = batch.runOf.get(name);
  if (run === undefined) {
    batch.runOf.set(name, (run = { user, conversation, appends: [] }));
    batch.runs.push(run);
  }
  run.appends.push(append);
  batch.size += 1;
}

/** Whether an entry goes another way than what the batch holds of its conversation. */
function changesWay({ isLarge }: Batch, entry: Entry): boolean {
  if (entry.type !== 'message' || entry.users !== null) return false;
  const way = isLarge.get(entry.conversation);
  return way !== undefined && way !== (entry.way === 'large');
}

function roleOf(entry: MessageEntry, user: string): Role {
  if (entry.change?.user === user) return entry.change.action === 'joined' ? 'joins' : 'leaves';
  return entry.sender === user ? 'sender' : 'member';
}

const changedUser = ({ change }: MessageEntry): Recipient[] =>
  change === null ? [] : [{ user: change.user, joined: decodeSpans(change.spans).at(-1)!.joined }];

function nobodyIfNotFound(thrown: unknown): string[] {
  if (thrown instanceof Refusal && thrown.code === 'not_found') return [];
  throw thrown;
}

/**
 * The message since which a group is large tells it to every member, and so does the one since which it is not; in
 * between joins and leaves do.
 */
function markOf({ way }: MessageEntry, role: Role): Mark {
  if (way === 'inboxes') return '';
  if (way === 'shrunk' || role === 'leaves') return '-';
  return way === 'grown' || role === 'joins' ? '+' : '';
}

/**
 * Group `inbox`: appends every message to the inbox of every member, and pushes it to exactly the gateways that hold
 * the members' devices. Those of large groups are published once, to whichever gateways follow the group: of them only
 * joins and leaves get into an inbox, that of the user who joins or leaves. A batch that is repeated appends nothing
 * twice; it pushes head hints for what was there, so that a push lost with the first attempt is noticed.
 */
export function createFanout(parts: {
  redis: Redis;
  keys: Keys;
  recipients: Pick<Recipients, 'of' | 'seeing'>;
  /** Who a very large group was created with. */
  founders: Conversations['founders'];
  bury: Bury;
  closed: () => void;
  inboxMaxEntries: number;
  /** 0 or none: nobody is notified. */
  notifyAfterMs?: number;
  log: Logger;
}): Handler {
  const { redis, keys, recipients, bury, log } = parts;

  /** A message of a conversation that is nowhere is buried: it has nobody to go to, and must not hold up the others. */
  async function recipientsOf(partition: number, entry: MessageEntry): Promise<Recipient[]> {
    try {
      return await recipients.of(entry);
    } catch (thrown) {
      if (!(thrown instanceof Refusal) || thrown.code !== 'not_found') throw thrown;
      const { streamId, conversation, seq } = entry;
      await bury({
        reason: 'no_conversation',
        partition,
        group: 'inbox',
        streamId,
        error: 'its conversation is nowhere',
        content: messageText(partition, entry),
        subject: { conversation, seq },
      });
      return [];
    }
  }

  /** A group of which no member is anywhere. */
  const buryFounded = (partition: number, { streamId, conversation }: FoundedEntry): Promise<unknown> =>
    bury({
      reason: 'no_conversation',
      partition,
      group: 'inbox',
      streamId,
      error: 'its members are nowhere',
      content: conversation,
      subject: { conversation },
    });

  function collectLarge(entry: MessageEntry, content: string, batch: Batch): void {
    const { conversation, seq, prev, sender, device, change } = entry;
    batch.large.push({ entry, text: content });
    if (change === null) {
      add(batch, sender, conversation, { text: -1, seq, prev, joined: 0, role: 'sent', mark: '' });
      return;
    }
    const text = batch.texts.push({ sender, device, at: entry.at, text: content }) - 1;
    for (const { user, joined } of changedUser(entry)) {
      const role = roleOf(entry, user);
      add(batch, user, conversation, { text, seq, prev, joined, role, mark: markOf(entry, role) });
    }
  }

  function addListed(
    users: string[],
    { conversation, createdAt, large, joined }: CreatedEntry | FoundedEntry,
    batch: Batch,
  ): void {
    for (const user of users)
      add(batch, user, conversation, {
        text: -1,
        seq: createdAt,
        prev: 0,
        joined,
        role: 'listed',
        mark: large ? '+' : '',
      });
  }

  async function collect(partition: number, entry: Entry, batch: Batch): Promise<void> {
    switch (entry.type) {
      case 'message': {
        const { conversation, seq, prev, sender, device } = entry;
        const content = messageText(partition, entry);
        // A direct conversation never goes the large way.
        if (entry.users === null) batch.isLarge.set(conversation, entry.way === 'large');
        if (entry.way === 'large') {
          collectLarge(entry, content, batch);
          break;
        }
        const text = batch.texts.push({ sender, device, at: entry.at, text: content }) - 1;
        for (const { user, joined } of await recipientsOf(partition, entry)) {
          const role = roleOf(entry, user);
          add(batch, user, conversation, { text, seq, prev, joined, role, mark: markOf(entry, role) });
        }
        break;
      }
      case 'created':
        addListed(entry.members, entry, batch);
        break;
      case 'skipped':
        // They do not count as unread. Where the conversation is nowhere there is nobody to count for.
        for (const user of await recipients.seeing(entry).catch(nobodyIfNotFound)) {
          add(batch, user, entry.conversation, {
            text: -1,
            seq: entry.toSeq,
            prev: entry.fromSeq,
            joined: 0,
            role: 'skipped',
            mark: '',
          });
        }
        break;
      // In parts of its own (handle).
      case 'founded':
      case 'renamed':
        break;
      case 'unknown':
        await bury({
          reason: 'unknown_format',
          partition,
          group: 'inbox',
          streamId: entry.streamId,
          error: 'unknown entry format',
          content: JSON.stringify(entry.fields),
        });
        break;
    }
  }

  /** Whether a hole was met; `force` marks what has to become a gap because nothing can fill it. */
  function holes({ runs }: Batch, outcomes: RunOutcome[], force: boolean): boolean {
    let met = false;
    outcomes.forEach(({ outcomes: list }, index) => {
      const { conversation, appends } = runs[index]!;
      list.forEach((outcome, i) => {
        const append = appends[i]!;
        if (outcome !== 'hole') return;
        met = true;
        if (!force) return;
        log.error({ event: 'hole_forced', conversation, before: append.seq });
        append.role = 'forced';
      });
    });
    return met;
  }

  function pushesOf({ runs, texts, large }: Batch, outcomes: RunOutcome[], pushed: boolean): Publish[] {
    const pushes = createPushes(keys);
    // What a member who leaves still sees comes before its leave, which comes by its inbox.
    for (const { entry, text } of large) pushes.large(entry, text);
    // For each gateway the recipients of each text, as the push header wants them.
    const byGateway = new Map<string, (string | undefined)[]>();
    outcomes.forEach(({ headBefore, gateways, outcomes: list }, index) => {
      const { user, appends } = runs[index]!;
      for (const gateway of gateways) {
        let lists = byGateway.get(gateway);
        if (lists === undefined) byGateway.set(gateway, (lists = []));
        let repeated = false;
        for (let i = 0; i < list.length; i++) {
          const outcome = list[i]!;
          const { text, mark } = appends[i]!;
          if (mark !== '') pushes.larges(gateway, user);
          if (typeof outcome !== 'number') repeated ||= outcome === 'skipped' && text !== -1;
          else if (!pushed)
            lists[text] = lists[text] === undefined ? `${user}:${outcome}` : `${lists[text]},${user}:${outcome}`;
        }
        if (repeated) pushes.head(gateway, user, headBefore);
      }
    });
    for (const [gateway, lists] of byGateway) {
      lists.forEach((list, i) => {
        const { sender, device, text } = texts[i]!;
        if (list !== undefined) pushes.deliver(gateway, sender, device, list, text);
      });
    }
    return pushes.take();
  }

  /** Appends all of a batch; `publish` is what is left to be pushed, behind what is `before` it. */
  async function appendAll(batch: Batch, before = 0): Promise<{ outcomes: RunOutcome[]; publish: Publish[] }> {
    if (batch.runs.length === 0) return { outcomes: [], publish: pushesOf(batch, [], true) };
    // The script pushes at once: only where nothing has to come earlier.
    const pushed = batch.runs.length <= mostPushedAtOnce && batch.large.length === 0 && before === 0;
    const outcomes = await appendToInboxes(
      redis,
      keys,
      parts.inboxMaxEntries,
      batch.texts,
      batch.runs,
      pushed,
      parts.notifyAfterMs,
    );
    if (outcomes !== 'closed') return { outcomes, publish: pushesOf(batch, outcomes, pushed) };
    parts.closed();
    throw new Error('an inbox shard is not open');
  }

  /**
   * A message under whose seq an inbox holds another one: a number was given twice. It is put aside once, not dropped.
   */
  async function buryConflicts(partition: number, { runs, texts }: Batch, outcomes: RunOutcome[]): Promise<void> {
    const buried = new Set<number>();
    for (const [index, { outcomes: list }] of outcomes.entries()) {
      for (const [i, outcome] of list.entries()) {
        const { text } = runs[index]!.appends[i]!;
        if (outcome !== 'conflict' || buried.has(text)) continue;
        buried.add(text);
        const content = texts[text]!.text;
        const { id, conversation, seq } = readHead(content);
        await bury({
          reason: 'conflict',
          partition,
          group: 'inbox',
          streamId: id.slice(id.indexOf('-') + 1),
          error: 'another message has this seq in an inbox',
          content,
          subject: { conversation, seq },
        });
      }
    }
  }

  /** Appends one part. Resolves null when something earlier is missing. */
  async function finish(partition: number, batch: Batch, repeated: boolean, before: number): Promise<Publish[] | null> {
    const { outcomes, publish } = await appendAll(batch, before);
    await buryConflicts(partition, batch, outcomes);
    if (!holes(batch, outcomes, repeated)) return publish;
    if (!repeated) return null;
    return [...publish, ...(await appendAll(batch, before + publish.length)).publish];
  }

  return {
    async handle(partition, entries, repeated): Promise<Handled> {
      const publish: Publish[] = [];
      let batch = emptyBatch();
      const finished = async (): Promise<boolean> => {
        const part = await finish(partition, batch, repeated, publish.length);
        if (part === null) return false;
        publish.push(...part);
        batch = emptyBatch();
        return true;
      };
      for (const [i, entry] of entries.entries()) {
        await collect(partition, entry, batch);
        if (entry.type === 'founded') {
          let found = 0;
          for await (const users of parts.founders(entry)) {
            found += users.length;
            addListed(users, entry, batch);
            if (batch.size >= foundersInPart && !(await finished())) return 'again';
          }
          if (found === 0) await buryFounded(partition, entry);
        }
        const next = entries[i + 1];
        if (next !== undefined && batch.size < appendsInPart && !changesWay(batch, next)) continue;
        if (!(await finished())) return 'again';
      }
      return { settle: entries.map(({ streamId }) => streamId), publish };
    },

    /** A gap at its place: members fetch the message from history, which has it or says that it is absent. */
    async settlePoison(partition, entry): Promise<void> {
      if (entry.type !== 'message') return;
      const batch = emptyBatch();
      // In a large group the next message shows that one is missing; who joined or left by it still has to learn that.
      const concerned = entry.way === 'large' ? changedUser(entry) : await recipientsOf(partition, entry);
      for (const { user, joined } of concerned) {
        const role = roleOf(entry, user);
        add(batch, user, entry.conversation, {
          text: -1,
          seq: entry.seq,
          prev: entry.prev,
          joined,
          role,
          mark: markOf(entry, role),
        });
      }
      const { outcomes } = await appendAll(batch);
      const pushes = createPushes(keys);
      outcomes.forEach(({ gateways, outcomes: [position] }, index) => {
        // Who has got the message before it became poison has no gap, and a hint above its head would be a lie.
        if (typeof position !== 'number') return;
        for (const gateway of gateways) pushes.head(gateway, batch.runs[index]!.user, position);
      });
      const pipeline = redis.pipeline();
      for (const { channel, payload } of pushes.take()) pipeline.publish(channel, payload);
      await pipeline.exec();
    },
  };
}
