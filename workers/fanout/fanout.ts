import type { Redis } from 'ioredis';
import { hasText } from '../../shared/model/entry.ts';
import { readHead } from '../../shared/model/message-text.ts';
import type { Logger } from '../../shared/process/log.ts';
import type { EvidenceOfProcess } from '../../shared/recovery/evidence.ts';
import type { Conversations } from '../../shared/redis/conversations/conversations.ts';
import { appendToInboxes, type RunOutcome } from '../../shared/redis/inboxes/inbox-appends.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import type { Publish } from '../../shared/redis/push-bus.ts';
import type { Bury } from '../dead-letter-writer.ts';
import type { Handled, Handler } from '../stream/handler.ts';
import { type Batch, changesRoute, emptyBatch } from './batch.ts';
import { addListed, createCollecting } from './collect.ts';
import type { Outdated } from './outdated.ts';
import type { Pace } from './pace.ts';
import type { Passing } from './passing.ts';
import { pushesOf, pushesOfGaps } from './pushes-of-batch.ts';
import type { Recipients } from './recipients.ts';

/** A batch of more appends is finished in parts: each part must end within the time that a command may take. */
const appendsInPart = 5000;
/** Members of a very large group are told of it in parts of this many, so that other calls come in between. */
const foundersInPart = 2000;

/**
 * Up to this many runs the appending script pushes by itself, which saves round trips. Above, one publish a gateway.
 */
const mostPushedAtOnce = 16;

/**
 * Group `inbox`, fan-out on write: appends every message to the inbox of every member, and pushes it to exactly the
 * gateways that hold the members' devices. Messages of large groups are fan-out on read: they are published once, to
 * the gateways that follow the group. Of those only joins and leaves get into an inbox, that of the user concerned.
 *
 * After a loss, a gap stands for a message that was amended further on in what came back (outdated.ts).
 *
 * Repeating a batch appends nothing twice. It pushes head hints for what was there already, so that a push lost with
 * the first attempt is noticed.
 */
export function createFanout(parts: {
  redis: Redis;
  keys: Keys;
  recipients: Pick<Recipients, 'of' | 'ofAmendment' | 'quiet' | 'seeing'>;
  /** The founding members of a very large group, in parts. */
  founders: Conversations['founders'];
  bury: Bury;
  /** Called when an inbox shard is not open. */
  closed: () => void;
  evidence: Pick<EvidenceOfProcess, 'appended'>;
  passing: Pick<Passing, 'of'>;
  outdated: Pick<Outdated, 'of'>;
  pace: Pick<Pace, 'took'>;
  inboxMaxEntries: number;
  /** After how many ms users are notified, asked at each batch; 0: never. */
  notifyAfterMs: () => number;
  log: Logger;
}): Handler {
  const { redis, keys, bury, log } = parts;
  const { collect, collectGap, buryFounded } = createCollecting(parts);

  /** Whether a hole was met; `force` marks the appends that must become gaps because nothing can fill the holes. */
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
        if (append.role === 'quiet') append.forced = true;
        else append.role = 'forced';
      });
    });
    return met;
  }

  /** Appends all of a batch. Resolves its outcomes and the pushes that remain, to go behind `before` earlier ones. */
  async function appendAll(batch: Batch, before = 0): Promise<{ outcomes: RunOutcome[]; publish: Publish[] }> {
    if (batch.runs.length === 0) return { outcomes: [], publish: pushesOf(keys, batch, [], true) };
    // The script pushes at once, so only where nothing has to go out earlier.
    const pushed = batch.runs.length <= mostPushedAtOnce && batch.large.length === 0 && before === 0;
    const outcomes = await appendToInboxes(
      redis,
      keys,
      parts.inboxMaxEntries,
      batch.texts,
      batch.runs,
      pushed,
      parts.notifyAfterMs(),
    );
    if (outcomes === 'closed') {
      parts.closed();
      throw new Error('an inbox shard is not open');
    }
    outcomes.forEach(({ headBefore, outcomes: list }, index) => {
      const last = list.findLast((outcome) => typeof outcome === 'number');
      parts.evidence.appended(batch.runs[index]!.user, last ?? headBefore);
    });
    return { outcomes, publish: pushesOf(keys, batch, outcomes, pushed) };
  }

  /** An inbox holds another message under this seq: a number was given twice. One dead letter keeps the message. */
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
      parts.pace.took(partition, entries.length);
      const publish: Publish[] = [];
      let batch = emptyBatch();
      const finished = async (): Promise<boolean> => {
        const part = await finish(partition, batch, repeated, publish.length);
        if (part === null) return false;
        publish.push(...part);
        batch = emptyBatch();
        return true;
      };
      // After any doubt about what is pending, entries of the short way are compared like all others.
      const passes = repeated ? null : await parts.passing.of(partition, entries);
      const known = parts.outdated.of(partition, entries);
      const isOutdated = known instanceof Promise ? await known : known;
      for (const [i, entry] of entries.entries()) {
        let reading: Promise<void> | null = null;
        if (isOutdated?.(entry) === true) reading = collectGap(partition, entry, batch);
        else if (passes?.(entry) !== true) reading = collect(partition, entry, batch);
        if (reading !== null) await reading;
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
        if (next !== undefined && batch.size < appendsInPart && !changesRoute(batch, next)) continue;
        if (!(await finished())) return 'again';
      }
      return { settle: entries.map(({ streamId }) => streamId), publish };
    },

    /** Leaves a gap in its place: members fetch the message from history, which has it or says that it is absent. */
    async settlePoison(partition, entry): Promise<void> {
      if (!hasText(entry)) return;
      const batch = emptyBatch();
      await collectGap(partition, entry, batch);
      const { outcomes } = await appendAll(batch);
      const pipeline = redis.pipeline();
      for (const { channel, payload } of pushesOfGaps(keys, batch, outcomes)) pipeline.publish(channel, payload);
      await pipeline.exec();
    },
  };
}
