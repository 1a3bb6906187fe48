import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { type Entry, readEntry } from '../../shared/model/entry.ts';
import type { GroupName } from '../../shared/model/groups.ts';
import type { Faults } from '../../shared/process/faults.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { DeploymentState } from '../../shared/recovery/deployment.ts';
import type { EvidenceOfProcess } from '../../shared/recovery/evidence.ts';
import { blockMs, whenReady } from '../../shared/redis/connection/connect.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { redisMs } from '../../shared/redis/redis-time.ts';
import { isUnknownScript, loadScripts } from '../../shared/redis/scripts.ts';
import { adoptPending } from '../../shared/redis/streams/foreign-consumers.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import { retries, retryPauseMs } from '../../shared/timing/retry.ts';
import type { Bury } from '../dead-letter-writer.ts';
import { isFaultOfBatch } from './batch-fault.ts';
import type { BatchLimits, Handler } from './handler.ts';
import { createPoisonIsolation } from './isolate-poison.ts';
import { type Commit, createSettling, type Reply, valueOf } from './settle.ts';

const nothing: Commit = { settle: [], publish: [] };

/**
 * `lost`: ids of entries that are pending but no longer in the stream. `epoch`: the one that was known when they were
 * asked for. So what a loss took away is never said to be of a later epoch.
 */
type Read = { entries: Entry[]; lost: string[]; epoch: string };
/** XPENDING's summary: how many entries are pending, and the oldest. */
type Pending = [number, string | null];
type Next = { found: Read; pending: Pending };

const idleEveryMs = 10_000;

/** Reads the reply of an XREADGROUP of one stream. */
function readReply(reply: unknown, epoch: string): Read {
  const found: Read = { entries: [], lost: [], epoch };
  const list = (reply as [string, [string, string[] | null][]][] | null)?.[0]?.[1] ?? [];
  for (const [id, fields] of list) {
    if (fields === null) found.lost.push(id);
    else found.entries.push(readEntry(id, fields));
  }
  return found;
}

/**
 * Consumes one partition for one group, with no knowledge of what the entries mean.
 *
 *     pending ──(nothing is pending)──▶ new ──(an error, a lost answer, `again`)──▶ pending
 *
 * - Pending: reads the group's own unsettled entries from the first on. It begins here, and returns here after every
 *   doubt. A batch that fails by its own fault goes to isolate-poison.ts.
 * - New: reads entries that were never delivered. It handles a batch only if the group's oldest pending entry is the
 *   batch's first. A read whose answer was lost has still taken its entries; going on past them would lose them.
 *
 * A batch is settled after its handler resolved: in one round trip with its pushes and the next read.
 */
export function createConsumer(
  parts: {
    commands: Redis;
    blocking: Redis;
    keys: Keys;
    log: Logger;
    faults: Pick<Faults, 'note'>;
    deployment: Pick<DeploymentState, 'open' | 'openAgain' | 'current'> & { evidence: Pick<EvidenceOfProcess, 'seen'> };
    bury: Bury;
  },
  group: GroupName,
  partition: number,
  limits: () => BatchLimits,
  handler: Handler,
) {
  const { commands, blocking, keys, log, deployment } = parts;
  const messages = keys.messages(partition);
  const settling = createSettling(commands, keys, group, partition);
  const poison = createPoisonIsolation({ ...parts, settling }, group, partition, limits().entries, handler);
  const ending = new AbortController();
  let stopped = false;
  let lastIdle = -Infinity;

  /** What was read may be handed on, so it is evidence from now on. */
  function read(reply: unknown, epoch: string): Read {
    const found = readReply(reply, epoch);
    const last = found.entries.at(-1);
    if (last !== undefined) deployment.evidence.seen(partition, last.streamId);
    return found;
  }

  async function readPending(): Promise<Read> {
    const { epoch } = deployment.current;
    const reply = await commands.xreadgroup('GROUP', group, group, 'COUNT', limits().entries, 'STREAMS', messages, '0');
    return read(reply, epoch);
  }

  async function oldestPending(): Promise<string | null> {
    return ((await commands.xpending(messages, group)) as Pending)[1];
  }

  /** A foreign consumer holds an entry before ours: everything behind it waits until it is given back. */
  async function takeBack(): Promise<void> {
    const [adopted] = await adoptPending(commands, keys, partition, group);
    log.warn({ event: 'strangers_in_group', partition, group, adopted });
    if (adopted > 0) return;
    await pause(retryPauseMs(retries.foreignConsumer, 1), undefined, { signal: ending.signal }).catch(() => undefined);
  }

  /** Commits the previous batch and reads the next one in one round trip. Waits for entries if there are none. */
  async function readNew(before: Commit): Promise<Next> {
    const { epoch } = deployment.current;
    const pipeline = blocking.pipeline();
    settling.add(pipeline, before);
    pipeline
      .xreadgroup('GROUP', group, group, 'COUNT', limits().entries, 'BLOCK', blockMs, 'STREAMS', messages, '>')
      .xpending(messages, group);
    const replies = ((await pipeline.exec()) as Reply[]).map(valueOf);
    return { found: read(replies.at(-2), epoch), pending: replies.at(-1) as Pending };
  }

  /** Entries were trimmed before they were settled, so data was lost. That is never silent. */
  async function settleLost(ids: string[]): Promise<void> {
    log.error({ event: 'entries_lost', group, partition, ids: ids.slice(0, 20), count: ids.length });
    await settling.commit({ settle: ids, publish: [] });
  }

  /** Works off pending entries, then follows new ones; returns when the consumer is stopped. */
  async function work(): Promise<void> {
    let again = 0;
    while (!stopped) {
      const old = await readPending();
      if (old.lost.length > 0) await settleLost(old.lost);
      if (old.entries.length === 0) {
        if (old.lost.length === 0) await follow();
        continue;
      }
      const first = old.entries[0]!;
      if ((await oldestPending()) !== first.streamId) {
        await takeBack();
        continue;
      }
      const size = await poison.search.begin(first.streamId);
      if (size === 0) {
        await poison.isolate(first, old.epoch);
        continue;
      }
      const handled = await poison.handleUnsettled(old.entries.slice(0, size), old.epoch);
      if (handled === 'failed') continue;
      if (handled === 'again') {
        await poison.search.failed(false);
        await pause(retryPauseMs(retries.streamOrder, ++again));
        continue;
      }
      again = 0;
      await settling.commit(handled);
      await poison.search.succeeded();
    }
  }

  /** Handles new batches until there is doubt about what is pending. */
  async function follow(): Promise<void> {
    let before: Commit = nothing;
    let quiet = false;
    while (!stopped) {
      // Asked before the read: an entry accepted after this moment may be one that the read did not find.
      const { epoch } = deployment.current;
      const since = quiet && isIdleDue() ? await redisMs(commands) : null;
      const { found, pending } = await readNew(before);
      before = nothing;
      quiet = found.entries.length === 0;
      if (quiet) {
        if (pending[0] > 0) return;
        if (since !== null) await tellIdle(since, epoch);
        continue;
      }
      if (found.entries[0]!.streamId !== pending[1]) return;
      const handled = await handler.handle(partition, found.entries, false, found.epoch);
      if (handled === 'again') return;
      before = handled;
      const { pauseFrom, pauseTo, pauseMs } = limits();
      if (found.entries.length >= pauseFrom && found.entries.length <= pauseTo)
        await pause(pauseMs, undefined, { signal: ending.signal }).catch(() => undefined);
    }
    await settling.commit(before);
  }

  function isIdleDue(): boolean {
    return handler.idle !== undefined && monotonicMs() - lastIdle >= idleEveryMs;
  }

  async function tellIdle(since: number, epoch: string): Promise<void> {
    lastIdle = monotonicMs();
    const info = (await commands.xinfo('STREAM', messages)) as unknown[];
    await handler.idle!(partition, String(info[info.indexOf('last-generated-id') + 1]), since, epoch);
  }

  const isStopped = new Promise<never>((_, reject) => {
    ending.signal.addEventListener('abort', () => reject(new Error('the consumer is stopped')), { once: true });
  });
  isStopped.catch(() => undefined);
  /** Rejects as soon as the consumer is stopped: an opening may have to wait for Redis. */
  const unlessStopped = (opening: Promise<void>): Promise<void> => Promise.race([opening, isStopped]);

  async function runUntilStopped(): Promise<void> {
    for (let attempt = 1; !stopped; attempt++) {
      const began = monotonicMs();
      try {
        await whenReady(blocking, ending.signal);
        await whenReady(commands, ending.signal);
        await unlessStopped(deployment.open());
        await work();
      } catch (thrown) {
        if (stopped) return;
        if (monotonicMs() - began > 10_000) attempt = 1;
        if (isFaultOfBatch(thrown)) parts.faults.note('batch', thrown);
        log.warn({ event: 'consumer_failed', group, partition, attempt, reason: reason(thrown) });
        if (reason(thrown).startsWith('NOGROUP')) await unlessStopped(deployment.openAgain());
        if (isUnknownScript(thrown)) await loadScripts(commands).catch(() => undefined);
        await pause(retryPauseMs(retries.streamConsumer, attempt));
      }
    }
  }
  const running = runUntilStopped();

  return {
    /** Finishes and settles the batch in hand, then ends. A waiting read is broken off; what it takes stays pending. */
    async stop(): Promise<void> {
      stopped = true;
      ending.abort();
      blocking.disconnect();
      await running;
    },
  };
}
