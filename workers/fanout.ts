import type { Redis } from 'ioredis';
import type { Entry, MessageEntry } from '../shared/entry.ts';
import { Refusal } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import { messageText } from '../shared/message-text.ts';
import { appendToInboxes, type InboxAppend, type InboxText, type Role, type UserOutcome } from '../shared/redis/inbox-appends.ts';
import type { Keys } from '../shared/redis/keys.ts';
import { createPushes, type Publish } from '../shared/redis/push-bus.ts';
import type { Handled, Handler } from './consumer.ts';
import type { Park } from './parking.ts';
import type { Recipient, Recipients } from './recipients.ts';

/** One batch on its way into the inboxes. */
type Batch = { texts: InboxText[]; appends: Map<string, InboxAppend[]>; size: number };

/** A part of a batch goes out after so many appends: it has to be done within the time that a command may take. */
const appendsInPart = 5000;

/** Up to so many recipients the appending script pushes by itself: fewer ways through Redis. Above, one publish for each gateway. */
const mostPushedAtOnce = 16;

const emptyBatch = (): Batch => ({ texts: [], appends: new Map(), size: 0 });

const add = (batch: Batch, user: string, append: InboxAppend): void => {
  batch.size += 1;
  const list = batch.appends.get(user);
  if (list === undefined) batch.appends.set(user, [append]);
  else list.push(append);
};

function roleOf(entry: MessageEntry, user: string): Role {
  if (entry.change?.user === user) return entry.change.action === 'joined' ? 'joins' : 'leaves';
  return entry.sender === user ? 'sender' : 'member';
}

/**
 * Group `inbox`: appends every message to the inbox of every member, and pushes it to exactly the gateways that hold the
 * members' devices. A batch that is repeated appends nothing twice; it pushes head hints for what was there, so that a push
 * lost with the first attempt is noticed.
 */
export function createFanout(parts: {
  redis: Redis;
  keys: Keys;
  recipients: Recipients;
  park: Park;
  closed: () => void;
  inboxMaxEntries: number;
  log: Logger;
}): Handler {
  const { redis, keys, recipients, park, log } = parts;

  /** A message of a conversation that is nowhere is parked: it has nobody to go to, and must not hold up the others. */
  async function recipientsOf(partition: number, entry: MessageEntry): Promise<Recipient[]> {
    try {
      return await recipients.of(entry);
    } catch (thrown) {
      if (!(thrown instanceof Refusal) || thrown.code !== 'not_found') throw thrown;
      await park(partition, 'inbox', entry.streamId, 'its conversation is nowhere', entry.tail);
      return [];
    }
  }

  async function collect(partition: number, entry: Entry, batch: Batch): Promise<void> {
    switch (entry.type) {
      case 'message': {
        const { conversation, seq, prev } = entry;
        const source = `${entry.sender} ${entry.device}`;
        const text = batch.texts.push({ source, text: messageText(partition, entry.streamId, conversation, seq, entry.tail) }) - 1;
        for (const { user, joined } of await recipientsOf(partition, entry)) {
          add(batch, user, { text, conversation, seq, prev, joined, role: roleOf(entry, user) });
        }
        break;
      }
      case 'created':
        for (const user of entry.members) {
          add(batch, user, { text: -1, conversation: entry.conversation, seq: entry.createdAt, prev: 0, joined: 0, role: 'listed' });
        }
        break;
      case 'renamed':
      case 'skipped':
        break;
      case 'unknown':
        await park(partition, 'inbox', entry.streamId, 'unknown entry format', JSON.stringify(entry.fields));
        break;
    }
  }

  /** Whether a hole was met; `force` marks what has to become a gap because nothing can fill it. */
  function holes(batch: Batch, outcomes: UserOutcome[], force: boolean): boolean {
    let met = false;
    for (const { user, outcomes: list } of outcomes) {
      const appends = batch.appends.get(user)!;
      list.forEach((outcome, i) => {
        const append = appends[i]!;
        if (outcome === 'conflict') log.error({ event: 'seq_conflict', conversation: append.conversation, seq: append.seq });
        if (outcome !== 'hole') return;
        met = true;
        if (!force) return;
        log.error({ event: 'hole_forced', conversation: append.conversation, before: append.seq });
        append.role = 'forced';
      });
    }
    return met;
  }

  function pushesOf(batch: Batch, outcomes: UserOutcome[], pushed: boolean): Publish[] {
    const pushes = createPushes(keys);
    // For each gateway the recipients of each text, as the push header wants them.
    const byGateway = new Map<string, (string | undefined)[]>();
    for (const { user, headBefore, gateways, outcomes: list } of outcomes) {
      if (gateways.length === 0) continue;
      const appends = batch.appends.get(user)!;
      for (const gateway of gateways) {
        let repeated = false;
        for (let i = 0; i < list.length; i++) {
          const outcome = list[i]!;
          if (typeof outcome !== 'number') {
            repeated ||= outcome === 'skipped' && appends[i]!.text !== -1;
            continue;
          }
          if (pushed) continue;
          let texts = byGateway.get(gateway);
          if (texts === undefined) byGateway.set(gateway, (texts = []));
          const before = texts[appends[i]!.text];
          texts[appends[i]!.text] = before === undefined ? `${user}:${outcome}` : `${before},${user}:${outcome}`;
        }
        if (repeated) pushes.head(gateway, user, headBefore);
      }
    }
    for (const [gateway, texts] of byGateway) {
      for (let i = 0; i < texts.length; i++) {
        if (texts[i] !== undefined) pushes.deliver(gateway, batch.texts[i]!.source, texts[i]!, batch.texts[i]!.text);
      }
    }
    return pushes.take();
  }

  /** Appends all of a batch; `publish` is what is left to be pushed. */
  async function appendAll(batch: Batch): Promise<{ outcomes: UserOutcome[]; publish: Publish[] }> {
    if (batch.appends.size === 0) return { outcomes: [], publish: [] };
    const pushed = batch.appends.size <= mostPushedAtOnce;
    const outcomes = await appendToInboxes(redis, keys, parts.inboxMaxEntries, batch.texts, batch.appends, pushed);
    if (outcomes !== 'closed') return { outcomes, publish: pushesOf(batch, outcomes, pushed) };
    parts.closed();
    throw new Error('an inbox shard is not open');
  }

  /** Appends one part. Resolves null when something earlier is missing. */
  async function finish(batch: Batch, repeated: boolean): Promise<Publish[] | null> {
    const { outcomes, publish } = await appendAll(batch);
    if (!holes(batch, outcomes, repeated)) return publish;
    if (!repeated) return null;
    return [...publish, ...(await appendAll(batch)).publish];
  }

  return {
    async handle(partition, entries, repeated): Promise<Handled> {
      const publish: Publish[] = [];
      let batch = emptyBatch();
      for (const [i, entry] of entries.entries()) {
        await collect(partition, entry, batch);
        if (batch.size < appendsInPart && i < entries.length - 1) continue;
        const part = await finish(batch, repeated);
        if (part === null) return 'again';
        publish.push(...part);
        batch = emptyBatch();
      }
      return { settle: entries.map(({ streamId }) => streamId), publish };
    },
  };
}
