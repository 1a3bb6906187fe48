import { setTimeout as pause } from 'node:timers/promises';
import type { ChainableCommander, Redis } from 'ioredis';
import { type Entry, readEntry } from '../../shared/model/entry.ts';
import type { Faults } from '../../shared/process/faults.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import { blockMs, whenReady } from '../../shared/redis/connection/connect.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import type { Publish } from '../../shared/redis/push-bus.ts';
import { redisMs } from '../../shared/redis/redis-time.ts';
import { isUnknownScript, loadScripts, queue } from '../../shared/redis/scripts.ts';
import { adoptPending } from '../../shared/redis/streams/foreign-consumers.ts';
import { backoff } from '../../shared/timing/backoff.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import type { Bury } from '../dead-letter-writer.ts';
import { isFaultOfBatch } from './batch-fault.ts';
import { createTrial } from './poison-search.ts';

/**
 * The two consumer groups. Each has one consumer name, its own: whoever owns the partition continues where the last one
 * was.
 */
export type Group = 'inbox' | 'history';

/** `again`: something earlier is missing; nothing is settled and the pending entries are read from the first on. */
export type Handled = Commit | 'again';

/** What is left of a handled batch: entries to settle, and what to tell gateways. */
export type Commit = { settle: string[]; publish: Publish[] };

const nothing: Commit = { settle: [], publish: [] };

/**
 * How much is read at once. After a batch of `pauseFrom` to `pauseTo` entries the next read waits `pauseMs`: under
 * load, bigger batches cost less; outside of that nothing ever waits.
 */
export type BatchLimits = { entries: number; pauseFrom: number; pauseTo: number; pauseMs: number };

export type Handler = {
  /**
   * Does all that a contiguous batch stands for. Resolves only after every write is confirmed. `repeated` says that the
   * batch begins with the group's oldest unsettled entry: what is missing before it is nowhere.
   */
  handle(partition: number, entries: Entry[], repeated: boolean): Promise<Handled>;
  /**
   * Leaves what readers need in the place of an entry that failed every time and is settled without its effect: a gap,
   * a slot without a body. Rejects when it cannot.
   */
  settlePoison(partition: number, entry: Entry): Promise<void>;
  /** Everything of the partition is settled, up to this entry, as of this moment (ms since 1970, by Redis). */
  idle?(partition: number, lastId: string, since: number): Promise<void>;
};

type Read = { entries: Entry[]; ghosts: string[] };
/** XPENDING's summary: how many, and the oldest. */
type Pending = [number, string | null];
type Next = { found: Read; pending: Pending };
type Reply = [Error | null, unknown];

const idleEveryMs = 10_000;

/**
 * Consumes one partition for one group, with no knowledge of what the entries mean.
 *
 *   pending ──(nothing pending)──▶ new ──(error, a stolen read, `again`)──▶ pending
 *
 * pending: reads the group's own unsettled entries from the first on. In this mode at the start and after every doubt.
 * What fails by
 *          its own fault is halved until one entry stands alone (trial.ts); that one ends as a dead letter, and its
 *          neighbours go on. new:     reads what was never delivered. A batch is handled only if the group's oldest
 *          pending entry is the batch's first:
 *          a read whose answer was lost has still taken its entries, and going on past them would lose them for ever.
 *
 * A batch is settled after its handler resolved, in one round trip with what it publishes and with the next read.
 */
export function createConsumer(
  parts: {
    commands: Redis;
    blocking: Redis;
    keys: Keys;
    log: Logger;
    faults: Pick<Faults, 'note'>;
    missingGroup: () => Promise<void>;
    bury: Bury;
  },
  group: Group,
  partition: number,
  limits: () => BatchLimits,
  handler: Handler,
) {
  const { commands, blocking, keys, log } = parts;
  const messages = keys.messages(partition);
  const slot = keys.partitionSlot(partition);
  const trial = createTrial(commands, keys, group, partition, limits().entries);
  const ending = new AbortController();
  let stopped = false;
  let lastIdle = -Infinity;
  let lastFault = 'the process died while it handled the entry';

  const read = (reply: unknown): Read => {
    const found: Read = { entries: [], ghosts: [] };
    const list = (reply as [string, [string, string[] | null][]][] | null)?.[0]?.[1] ?? [];
    for (const [id, fields] of list) {
      if (fields === null) found.ghosts.push(id);
      else found.entries.push(readEntry(id, fields));
    }
    return found;
  };

  const valueOf = ([error, value]: Reply): unknown => {
    if (error) throw error;
    return value;
  };

  async function readPending(): Promise<Read> {
    return read(await commands.xreadgroup('GROUP', group, group, 'COUNT', limits().entries, 'STREAMS', messages, '0'));
  }

  const oldestPending = async (): Promise<string | null> => ((await commands.xpending(messages, group)) as Pending)[1];

  /** A stranger holds an entry before ours: what comes after it waits until it is given back. */
  async function takeBack(): Promise<void> {
    const [adopted] = await adoptPending(commands, keys, partition, group);
    log.warn({ event: 'strangers_in_group', partition, group, adopted });
    if (adopted === 0) await pause(1000, undefined, { signal: ending.signal }).catch(() => undefined);
  }

  /** What a handled batch still needs; it publishes first. */
  function addCommit(pipeline: ChainableCommander, { settle, publish }: Commit): void {
    for (const { channel, payload } of publish) pipeline.publish(channel, payload);
    for (let start = 0; start < settle.length; start += 1000) {
      queue(pipeline, 'settle-entries', [slot, messages], [group, ...settle.slice(start, start + 1000)]);
    }
  }

  async function commit(handled: Commit): Promise<void> {
    const pipeline = commands.pipeline();
    addCommit(pipeline, handled);
    for (const reply of (await pipeline.exec()) as Reply[]) valueOf(reply);
  }

  /**
   * Commits the batch before and reads on, all in one round trip: entries that are there come at once, else it waits
   * for some.
   */
  async function readNew(before: Commit): Promise<Next> {
    const pipeline = blocking.pipeline();
    addCommit(pipeline, before);
    pipeline
      .xreadgroup('GROUP', group, group, 'COUNT', limits().entries, 'BLOCK', blockMs, 'STREAMS', messages, '>')
      .xpending(messages, group);
    const replies = ((await pipeline.exec()) as Reply[]).map(valueOf);
    return { found: read(replies.at(-2)), pending: replies.at(-1) as Pending };
  }

  /**
   * Entries that are pending and no longer in the stream: trimmed too early, so something was lost. Never in silence.
   */
  async function buryGhosts(ids: string[]): Promise<void> {
    log.error({ event: 'entries_lost', group, partition, ids: ids.slice(0, 20), count: ids.length });
    await commit({ settle: ids, publish: [] });
  }

  async function work(): Promise<void> {
    let again = 0;
    while (!stopped) {
      const old = await readPending();
      if (old.ghosts.length > 0) await buryGhosts(old.ghosts);
      if (old.entries.length === 0) {
        if (old.ghosts.length === 0) await follow();
        continue;
      }
      const first = old.entries[0]!;
      if ((await oldestPending()) !== first.streamId) {
        await takeBack();
        continue;
      }
      const size = await trial.begin(first.streamId);
      if (size === 0) {
        await isolate(first);
        continue;
      }
      const handled = await handleUnsettled(old.entries.slice(0, size));
      if (handled === 'failed') continue;
      if (handled === 'again') {
        await trial.failed(false);
        await pause(backoff(++again, 10, 1000));
        continue;
      }
      again = 0;
      await commit(handled);
      await trial.succeeded();
    }
  }

  /** Handles unsettled entries. Rejects with what says nothing about them; else `failed`, after a pause. */
  async function handleUnsettled(entries: Entry[]): Promise<Handled | 'failed'> {
    try {
      return await handler.handle(partition, entries, true);
    } catch (thrown) {
      lastFault = reason(thrown);
      const counts = isFaultOfBatch(thrown);
      const failures = await trial.failed(counts);
      if (!counts) throw thrown;
      parts.faults.note('batch', thrown);
      log.warn({
        event: 'batch_failed',
        group,
        partition,
        first: entries[0]!.streamId,
        size: entries.length,
        failures,
        reason: lastFault,
      });
      await pause(backoff(failures, 50, 2000));
      return 'failed';
    }
  }

  /** An entry that failed alone every time becomes a dead letter and is settled. */
  async function isolate(entry: Entry): Promise<void> {
    const { streamId } = entry;
    const [found] = await commands.xrange(messages, streamId, streamId);
    await parts.bury({
      reason: 'poison',
      partition,
      group,
      streamId,
      error: lastFault,
      attempts: trial.failures,
      content: JSON.stringify(found?.[1] ?? []),
      ...(entry.type === 'message' ? { subject: { conversation: entry.conversation, seq: entry.seq } } : {}),
    });
    try {
      await handler.settlePoison(partition, entry);
    } catch (thrown) {
      if (!isFaultOfBatch(thrown)) throw thrown;
      log.error({ event: 'poison_without_place', group, partition, streamId, reason: reason(thrown) });
    }
    await commit({ settle: [streamId], publish: [] });
    await trial.succeeded();
  }

  /** Handles new batches until there is doubt. */
  async function follow(): Promise<void> {
    let before: Commit = nothing;
    let quiet = false;
    while (!stopped) {
      // Asked for before the read: what is accepted after it may be what the read did not find.
      const since = quiet && isIdleDue() ? await redisMs(commands) : null;
      const { found, pending } = await readNew(before);
      before = nothing;
      quiet = found.entries.length === 0;
      if (quiet) {
        if (pending[0] > 0) return;
        if (since !== null) await tellIdle(since);
        continue;
      }
      if (found.entries[0]!.streamId !== pending[1]) return;
      const handled = await handler.handle(partition, found.entries, false);
      if (handled === 'again') return;
      before = handled;
      const { pauseFrom, pauseTo, pauseMs } = limits();
      if (found.entries.length >= pauseFrom && found.entries.length <= pauseTo)
        await pause(pauseMs, undefined, { signal: ending.signal }).catch(() => undefined);
    }
    await commit(before);
  }

  const isIdleDue = (): boolean => handler.idle !== undefined && monotonicMs() - lastIdle >= idleEveryMs;

  async function tellIdle(since: number): Promise<void> {
    lastIdle = monotonicMs();
    const info = (await commands.xinfo('STREAM', messages)) as unknown[];
    await handler.idle!(partition, String(info[info.indexOf('last-generated-id') + 1]), since);
  }

  const running = (async () => {
    for (let attempt = 1; !stopped; attempt++) {
      const began = monotonicMs();
      try {
        await whenReady(blocking, ending.signal);
        await whenReady(commands, ending.signal);
        await work();
      } catch (thrown) {
        if (stopped) return;
        if (monotonicMs() - began > 10_000) attempt = 1;
        if (isFaultOfBatch(thrown)) parts.faults.note('batch', thrown);
        log.warn({ event: 'consumer_failed', group, partition, attempt, reason: reason(thrown) });
        if (reason(thrown).startsWith('NOGROUP')) await parts.missingGroup();
        if (isUnknownScript(thrown)) await loadScripts(commands).catch(() => undefined);
        await pause(backoff(attempt, 50, 2000));
      }
    }
  })();

  return {
    /**
     * Finishes the batch in hand, settles it and ends. A read that waits is broken off; what it takes stays pending.
     */
    async stop(): Promise<void> {
      stopped = true;
      ending.abort();
      blocking.disconnect();
      await running;
    },
  };
}
