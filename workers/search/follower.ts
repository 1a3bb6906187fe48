import { setTimeout as pause } from 'node:timers/promises';
import { isProgramFault } from '../../shared/model/errors.ts';
import type { Faults } from '../../shared/process/faults.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { FollowedNotices, SearchNotice } from '../../shared/redis/search-notices.ts';
import type { SearchIndex, Target } from '../../shared/search/search-index.ts';
import { monotonicMs, wallMs } from '../../shared/timing/clocks.ts';
import { retries, retryPauseMs } from '../../shared/timing/retry.ts';
import { type CatchingUp, LeaseLost } from './catching-up.ts';
import type { Sweep } from './sweep.ts';

/** How often the lease is taken or kept (ms). */
const holdEveryMs = 1500;
/**
 * While notices keep coming they are read at most this often (ms): many of them cost little more than one. What comes
 * after a rest is read at once.
 */
const gatherMs = 250;
/** A walk over all conversations comes at most this often (ms), and takes at most a part of the time. */
const leastSweepMs = 30_000;
const sweepShare = 20;
/** How often what retention has removed is looked for (ms). */
const removeEveryMs = 24 * 3_600_000;
/** Passes of a rebuild over all conversations; what comes after the last one is left to the next sweep. */
const rebuildPasses = 3;

/**
 * Keeps the index in step with history, in one process for each index.
 *
 *     waiting ──(the lease is free)──▶ sweeping ──▶ following ⇄ sweeping ──(the lease is lost)──▶ waiting
 *
 * - Waiting: another process writes. This one only answers questions.
 * - Sweeping: everything is compared with history. It begins here, since it knows of nothing that was told before.
 * - Following: reads what notices name.
 *
 * A rebuild fills the next index meanwhile. _Must hold:_ `currentAt` is a moment of which everything is indexed: it is
 * only set after a sweep that began later than the notices that were passed over, and after all notices so far.
 */
export function createFollower(parts: {
  index: SearchIndex;
  owner: string;
  /** The rules by which documents are made. */
  recipe: string;
  notices: FollowedNotices;
  catchingUp: CatchingUp;
  sweep: Sweep;
  faults: Pick<Faults, 'note' | 'contained'>;
  log: Logger;
  /** Least time between two walks over all conversations (ms); given by tests. */
  sweepEveryMs?: number;
}) {
  const { index, owner, recipe, notices, catchingUp, sweep, faults, log, sweepEveryMs = leastSweepMs } = parts;
  const ending = new AbortController();
  const stopped = (): boolean => ending.signal.aborted;
  const rest = (ms: number): Promise<unknown> => pause(ms, undefined, { signal: ending.signal }).catch(() => undefined);

  let held = false;
  let rebuilding: Promise<void> | null = null;
  let sweepDueAt = 0;
  let removeDueAt = monotonicMs() + leastSweepMs;
  let currentAt: number | null = null;
  /** Rebuilds that were about to end. A comparison that began before such a moment says nothing of the live index. */
  let rebuilds = 0;
  let lastHold: { at: number; failed: unknown } = { at: monotonicMs(), failed: null };
  /** Whether the work in hand is to be given up. */
  const givenUp = (): boolean => stopped() || !held;

  async function hold(): Promise<void> {
    const answer = await index.hold(owner, recipe, currentAt);
    lastHold = { at: monotonicMs(), failed: null };
    if (answer.held && !held) log.info({ event: 'search_lease_taken' });
    if (!answer.held && held) log.warn({ event: 'search_lease_lost' });
    held = answer.held;
    if (held && answer.rebuilding && !stopped()) startRebuild();
  }

  function startRebuild(): void {
    rebuilding ??= rebuild()
      .catch((thrown: unknown) => {
        noteFault(thrown);
        log.warn({ event: 'search_rebuild_failed', reason: reason(thrown) });
      })
      .finally(() => (rebuilding = null));
  }

  async function rebuild(): Promise<void> {
    const began = monotonicMs();
    log.info({ event: 'search_rebuild_began' });
    let passBegan = wallMs();
    for (let pass = 1, behind = 1; pass <= rebuildPasses && behind > 0; pass++) {
      passBegan = wallMs();
      behind = await sweep('next', false, givenUp);
    }
    if (givenUp()) return;
    // What came after the last pass is in the old index alone. This is noted before the call: a comparison that begins
    // after it reads the new index, since the index answers in order.
    rebuilds += 1;
    sweepDueAt = 0;
    currentAt = null;
    if (!(await index.endRebuild(owner, passBegan))) return;
    log.info({ event: 'search_rebuilt', seconds: Math.round((monotonicMs() - began) / 1000) });
  }

  function noteFault(thrown: unknown): void {
    if (thrown instanceof LeaseLost) held = false;
    else if (isProgramFault(thrown)) faults.note('batch', thrown);
  }

  async function sweepAll(): Promise<void> {
    const began = { wall: wallMs(), monotonic: monotonicMs() };
    const removing = began.monotonic >= removeDueAt;
    const rebuildsBefore = rebuilds;
    await sweep('live', removing, givenUp);
    if (givenUp() || rebuilds !== rebuildsBefore) return;
    const took = monotonicMs() - began.monotonic;
    sweepDueAt = monotonicMs() + Math.max(sweepEveryMs, sweepShare * took);
    if (removing) removeDueAt = monotonicMs() + removeEveryMs;
    const wasUnknown = currentAt === null;
    currentAt = Math.max(currentAt ?? 0, began.wall);
    // Searches say that messages may be missing until this is noted.
    if (wasUnknown) await hold();
    for (let more = removing; more && !givenUp();) more = await index.tidy(owner);
  }

  async function handle(found: readonly SearchNotice[]): Promise<void> {
    const conversations = new Set<string>();
    const late: { conversation: string; seq: number }[] = [];
    for (const notice of found) {
      if (notice.type === 'written') for (const conversation of notice.conversations) conversations.add(conversation);
      else if (notice.type === 'filled') late.push(notice);
      else if (notice.type === 'rebuild' && rebuilding === null) await index.beginRebuild(owner, recipe);
      else if (notice.type === 'again') {
        await catchingUp.forget('live', notice.conversation);
        conversations.add(notice.conversation);
      }
    }
    if (found.some(({ type }) => type === 'rebuild')) await hold();
    await catchingUp.upToDate('live', [...conversations], givenUp);
    const targets: Target[] = rebuilding === null ? ['live'] : ['live', 'next'];
    for (const target of targets) await catchingUp.late(target, late);
  }

  /** Follows history until the lease is lost. */
  async function follow(): Promise<void> {
    currentAt = null;
    sweepDueAt = 0;
    await notices.begin();
    while (!givenUp()) {
      if (monotonicMs() >= sweepDueAt) await sweepAll();
      const asked = wallMs();
      const { notices: found, missed, more } = await notices.next();
      const began = monotonicMs();
      if (missed) {
        currentAt = null;
        sweepDueAt = 0;
      }
      await handle(found);
      if (currentAt !== null && !more) currentAt = asked;
      if (found.length > 0 && !more) await rest(Math.max(0, gatherMs - (monotonicMs() - began)));
    }
  }

  async function run(): Promise<void> {
    for (let attempt = 1; !stopped();) {
      const began = monotonicMs();
      try {
        if (held) await follow();
        else await rest(holdEveryMs / 3);
        attempt = 1;
      } catch (thrown) {
        if (stopped()) return;
        noteFault(thrown);
        log.warn({ event: 'search_follower_failed', reason: reason(thrown) });
        if (monotonicMs() - began > retries.searchFollower.mostMs) attempt = 1;
        await rest(retryPauseMs(retries.searchFollower, attempt++));
      }
    }
  }

  /** Apart from the work, which may take long: so the lease is kept meanwhile. */
  async function keepHold(): Promise<void> {
    while (!stopped()) {
      try {
        await hold();
      } catch (thrown) {
        lastHold = { at: lastHold.at, failed: thrown };
        held = false;
        noteFault(thrown);
        log.warn({ event: 'search_index_failed', reason: reason(thrown) });
      }
      await rest(holdEveryMs);
    }
  }
  const holding = keepHold();
  const running = run();

  return {
    /** Why the index cannot be used; null if it can. */
    fitness: (): string | null =>
      lastHold.failed !== null && monotonicMs() - lastHold.at > 10_000
        ? `the search index cannot be used: ${reason(lastHold.failed)}`
        : null,

    /** Finishes the write in hand and gives the lease back. */
    async stop(): Promise<void> {
      ending.abort();
      await Promise.all([holding, running, rebuilding]);
      await index.release(owner).catch(() => undefined);
    },
  };
}
