import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Deployment, HistoryStore } from '../history/store.ts';
import { type Logger, reason } from '../process/log.ts';
import type { Keys } from '../redis/keys.ts';
import { infoField } from '../redis/server-info.ts';
import { monotonicMs } from '../timing/clocks.ts';
import { retries, retryPauseMs } from '../timing/retry.ts';
import { createDeploymentRows, DeploymentMismatch } from './deployment-rows.ts';
import { createFactReading, type Found, lackingOf } from './facts.ts';
import { createOpeningSteps } from './opening-steps.ts';
import { slotsOf } from './slots.ts';
import { verdict } from './verdict.ts';

/** A process that has not reported by then counts as a loss (ms). */
const reportWithinMs = 10_000;

/** What Redis says of the deployment and of itself. `here`: its run id. */
type Seen = { found: Record<string, string>; info: string; here: string };

/** The deployment as it is open now: for this run of Redis, by the opening of this number. */
export type Opened = { deployment: Deployment; run: string; opening: number };

/**
 * Opens a run of Redis for this deployment, one process at a time, in these steps:
 *
 *   1. Take the lock. Write the number of the opening into history, then announce it: every slot is closed.
 *   2. Every process that has a row in history reports what it saw. So does this one.
 *   3. Judge by what history, the reports and this Redis say (verdict.ts), as often as it takes.
 *   4. If nothing was lost: open. Redis checks in that step that it still has what was judged.
 *      Otherwise write the row with the next epoch, not opened yet. `begin`: Redis notes the epoch. Mark the row
 *      opened, and open.
 *
 * _Must hold:_
 * - The number is in history before anybody is asked, and rows are read after that. Whoever enlists later knows the
 *   number, and does not serve under a lower one.
 * - Rows are read before marks. A process that leaves writes its mark before its row goes.
 * - Every step in Redis checks that the lock is still held. The lock is held by a token of this one attempt in this run
 *   of Redis, and the row changes only from the epoch that was read, so a slow process does nothing any more.
 * - No number is given in an epoch whose row is not opened. A process that finds such a row goes on with it, so one
 *   loss stays one loss whichever process dies. A time-out, or any other missing reply, means that all of it is tried
 *   again.
 *
 * test/model/gate.test.ts and comparing.test.ts check every interleaving of small models.
 */
export function createOpening(parts: {
  /** The connection for commands, without its hold. */
  redis: Redis;
  keys: Keys;
  history: HistoryStore;
  enlisted: () => Promise<{ id: string; dead: boolean }[]>;
  /** Writes this process' report, once for each opening of a run. */
  report: (opening: number, run: string) => Promise<void>;
  log: Logger;
}) {
  const { redis, keys, history, enlisted, report, log } = parts;
  const rows = createDeploymentRows(keys, history, log);
  const readFacts = createFactReading(redis, keys, history, enlisted);
  const { take, holding, carryOut } = createOpeningSteps(redis, keys, log);
  const slots = slotsOf(keys).names;

  /** Begins the epoch of a row that is not opened yet, and opens Redis. `lost`: slots that begin another line. */
  async function openNext(
    opening: number,
    row: Deployment,
    { seenIds, marks, facts }: Found,
    lost: 'all' | readonly string[],
  ): Promise<Opened> {
    const flags = slots.map((slot) => (lost === 'all' || lost.includes(slot) ? 1 : 0));
    await carryOut('begin', opening, row, seenIds, flags);
    const deployment = await rows.save(row.epoch, { ...row, opened: true });
    const run = await carryOut('open', opening, deployment, seenIds, marks);
    // They were witnesses of this Redis alone, and it owes them nothing any more.
    const dead = facts.history.enlisted.filter((one) => one.dead).map(({ id }) => id);
    await history.dismiss(dead, new Map());
    return { deployment, run, opening };
  }

  /** Requires the lock. `known`: what Redis says of the deployment. */
  async function open(here: string, known: Record<string, string>): Promise<Opened> {
    const stored = (await history.deployment()) ?? (await rows.firstRow(known));
    rows.mustMatch(stored);
    const opening = await history.beginOpening(slots);
    const began = monotonicMs();
    await carryOut('announce', opening, stored);
    await report(opening, here);
    for (let attempt = 1; ; attempt++) {
      const found = await readFacts(opening, here, stored.epoch, monotonicMs() - began >= reportWithinMs);
      const lacking = lackingOf(found.trimmed, await history.progress());
      if (found.lastOpening >= opening || lacking.length > 0) {
        // Unless another process has opened Redis meanwhile.
        await carryOut('keep', opening, stored);
        throw olderHistory(found.lastOpening, lacking);
      }
      // Whoever wrote this row knew which slots had lost something, and may have died since.
      if (!stored.opened) return openNext(opening, stored, found, 'all');
      const judged = verdict(found.facts);
      if (judged.word === 'loss')
        return openNext(opening, await rows.nextRow(stored, known, judged), found, judged.slots);
      if (judged.word === 'open') {
        const run = await carryOut('open', opening, stored, found.lastIds, found.marks);
        return { deployment: stored, run, opening };
      }
      await pause(retryPauseMs(retries.openingReports, attempt));
    }
  }

  /**
   * Whether Redis has all that history knows of it: an older copy may have been put into a server that runs. Reports do
   * not count: they are for the opening that asked for them. One that came after its end is of the epoch before.
   *
   * Throws DeploymentMismatch if history knows less than Redis.
   */
  async function agreesWithHistory(opening: number, here: string, epoch: string): Promise<boolean> {
    const { facts, lastOpening, trimmed } = await readFacts(opening, here, epoch, false);
    // Read again: what Redis knows of openings and of archived entries was in history before.
    const [slotRows, progress] = await Promise.all([history.slots(), history.progress()]);
    const known = Math.max(0, ...[...slotRows.values()].map(({ gate }) => gate));
    const lacking = lackingOf(trimmed, progress);
    if (lastOpening > known || lacking.length > 0) throw olderHistory(lastOpening, lacking);
    const judged = verdict({ ...facts, history: { ...facts.history, enlisted: [] }, reports: new Map() });
    if (judged.word === 'loss') log.warn({ event: 'state_compared', reason: judged.reason });
    return judged.word === 'open';
  }

  /**
   * Makes a new append-only file. In one that was cut, Redis 7.0 can leave half a transaction, and carry it out at its
   * next start.
   */
  function renewFile(info: string): void {
    if (infoField(info, 'aof_enabled') !== '1') return;
    redis.bgrewriteaof().catch((thrown: unknown) => log.debug({ event: 'rewrite_refused', reason: reason(thrown) }));
  }

  async function look(): Promise<Seen> {
    const [found, info] = await Promise.all([redis.hgetall(keys.deployment), redis.info()]);
    rows.mustFit(found, info);
    return { found, info, here: infoField(info, 'run_id') };
  }

  /** The deployment if it is open for this run by an opening that counts, otherwise null. */
  async function openAlready(known: Deployment | null, least: number, { found, here }: Seen): Promise<Opened | null> {
    const opening = Number(found.gate ?? 0);
    if (found.opened !== '1' || found.run !== here || opening < least) return null;
    const deployment = known?.epoch === found.epoch ? known : await history.deployment();
    if (deployment?.opened !== true || deployment.epoch !== found.epoch) return null;
    if (known === null && !(await agreesWithHistory(opening, here, deployment.epoch))) return null;
    return { deployment, run: here, opening };
  }

  /** Requires the lock. Its last holder may have opened Redis since this process looked. */
  async function openUnlessOpen(known: Deployment | null, least: number): Promise<Opened> {
    const seen = await look();
    const before = await openAlready(known, least, seen);
    if (before !== null) return before;
    const opened = await open(seen.here, seen.found);
    if (seen.found.run !== seen.here || seen.found.epoch !== opened.deployment.epoch) renewFile(seen.info);
    return opened;
  }

  return {
    /**
     * Resolves the deployment once it is open for the run of Redis that this connection is at, by an opening numbered
     * `least` or higher. `known` is the deployment that this process knows; one that knows none looks whether Redis has
     * all that history knows. A process that waits for the lock takes the result of an opening that another one has
     * finished meanwhile. Rejects if it has to be tried again, and with DeploymentMismatch.
     */
    async open(known: Deployment | null, least: () => number): Promise<Opened> {
      let hasAsked = false;
      for (;;) {
        const seen = await look();
        const opened = await openAlready(known, least(), seen);
        if (opened !== null) return opened;
        if (seen.found.opening !== undefined) await report(Number(seen.found.opening), seen.here);
        // Done before the lock is taken, because a store may take long to make its indexes first.
        if (!hasAsked) await history.deployment();
        hasAsked = true;
        if (await take(seen.here)) return holding(() => openUnlessOpen(known, least()));
        await pause(retryPauseMs(retries.deploymentLock, 1));
      }
    },

    /**
     * Declares a loss that cannot be seen from inside: Redis and history were restored together, or history was
     * restored and is older than Redis. What the streams still hold is archived again. Rejects if another process opens
     * Redis at this moment.
     */
    async declareLoss(): Promise<Opened> {
      const { found, here } = await look();
      const stored = await history.deployment();
      if (stored === null)
        throw new DeploymentMismatch('history knows no deployment: there is nothing to declare lost');
      rows.mustMatch(stored);
      if (!(await take(here))) throw new Error('another process opens Redis at this moment: try again');
      return holding(async () => {
        // Processes that run know the numbers that an older history has forgotten.
        const { lastOpening: last } = await readFacts(0, here, stored.epoch, true);
        let opening = await history.beginOpening(slots);
        while (opening <= last) opening = await history.beginOpening(slots);
        await carryOut('announce', opening, stored);
        const facts = await readFacts(opening, here, stored.epoch, true);
        const next = await rows.nextRow(stored, found, { slots: 'all', reason: 'declared by an operator' });
        await carryOut('rewind', opening, next);
        return openNext(opening, next, facts, 'all');
      });
    },
  };
}

const olderHistory = (opening: number, lacking: number[]): DeploymentMismatch =>
  new DeploymentMismatch(
    `history is older than Redis: ${
      lacking.length > 0
        ? `it lacks archived entries of partition ${lacking.join(', ')}`
        : `it does not know opening ${opening}`
    }. Is HISTORY_URL right? If history was restored from a backup, stop all processes and run ` +
      '`npm run cli -- declare-loss --yes`',
  );
