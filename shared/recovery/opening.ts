import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Deployment, HistoryStore } from '../history/store.ts';
import { type Logger, reason } from '../process/log.ts';
import type { Keys } from '../redis/keys.ts';
import { run } from '../redis/scripts.ts';
import { infoField } from '../redis/server-info.ts';
import { monotonicMs } from '../timing/clocks.ts';
import { retries, retryPauseMs } from '../timing/retry.ts';
import { createDeploymentRows } from './deployment-rows.ts';
import { createFactReading } from './facts.ts';
import { slotNames } from './slot-names.ts';
import { verdict } from './verdict.ts';

/** How long the lock outlives a process that dies while it opens (ms). A living one renews it. */
const lockMs = 5000;
const renewEveryMs = 1500;
/** A process that has not reported by then counts as a loss (ms). */
const reportWithinMs = 10_000;

/** The deployment as it is open now: for this run of Redis, by the opening of this number. */
export type Opened = { deployment: Deployment; run: string; opening: number };

type Reply = ['not_held'] | ['kept'] | ['announced'] | ['begun'] | ['changed', what: string] | ['opened', run: string];
type Step = 'keep' | 'announce' | 'begin' | 'open';

/**
 * Opens a run of Redis for this deployment, one process at a time, in these steps:
 *
 *   1. Take the lock. Write the number of the opening into history, then announce it: every slot is closed.
 *   2. Every process that has a row in history reports what it saw. So does this one.
 *   3. Judge by what history, the reports and this Redis say (verdict.ts), as often as it takes.
 *   4. If nothing was lost: open. Redis checks in that step that it still has what was judged.
 *      Otherwise write the row with the next epoch, not opened yet. `begin`: Redis notes the epoch. Mark the row opened,
 *      and open.
 *
 * _Must hold:_
 * - The number is in history before anybody is asked, and rows are read after that. Whoever enlists later knows the
 *   number, and does not serve under a lower one.
 * - Rows are read before marks. A process that leaves writes its mark before its row goes.
 * - Every step in Redis checks that the lock is still held. The lock is held by a token of this one attempt in this run
 *   of Redis, and the row changes only from the epoch that was read, so a slow process does nothing any more.
 * - No number is given in an epoch whose row is not opened. A process that finds such a row goes on with it, so one loss
 *   stays one loss whichever process dies. A time-out, or any other missing reply, means that all of it is tried again.
 *
 * test/model/gate.test.ts and comparing.test.ts check every interleaving of small models.
 *
 * A process that waits for the lock takes the result of an opening that another one has finished meanwhile.
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
  const me = randomUUID();
  const rows = createDeploymentRows(keys, history, log);
  const readFacts = createFactReading(redis, keys, history, enlisted);
  const names = slotNames(keys);
  const slotKeys = [
    ...Array.from({ length: keys.partitions }, (_, i) => [keys.partitionSlot(i), keys.messages(i)]).flat(),
    ...Array.from({ length: keys.inboxShards }, (_, i) => keys.shardSlot(i)),
  ];
  let attempts = 0;
  let token = '';

  const call = (step: Step, ...args: (string | number)[]): Promise<Reply> =>
    run<Reply>(
      redis,
      'open-deployment',
      [keys.deploymentLock, keys.deployment, keys.reports, ...slotKeys],
      [token, lockMs, step, ...args],
    );

  /** Carries out one step in Redis. Rejects if the lock is no longer held, or what was judged is no longer there. */
  async function carryOut(
    name: Step,
    opening: number,
    { epoch, generation, formats }: Deployment,
    ids: readonly string[],
    marks: readonly number[],
  ): Promise<string> {
    const [word, what = ''] = await call(
      name,
      opening,
      epoch,
      generation,
      keys.partitions,
      keys.inboxShards,
      formats,
      ...ids,
      ...marks,
    );
    if (word === 'not_held') throw new Error('the lock was lost: another process opens');
    if (word === 'changed') throw new Error(what);
    return what;
  }

  /** Requires the lock. */
  async function open(here: string, known: Record<string, string>): Promise<Opened> {
    let stored = (await history.deployment()) ?? (await rows.firstRow(known));
    rows.mustMatch(stored);
    const opening = await history.beginOpening(names.all);
    const began = monotonicMs();
    const zeros = names.partitions.map(() => '0-0');
    await carryOut('announce', opening, stored, zeros, []);
    await report(opening, here);
    for (let attempt = 1; ; attempt++) {
      const found = await readFacts(opening, here, stored.epoch, monotonicMs() - began >= reportWithinMs);
      const { facts, lastIds, seenIds, marks } = found;
      if (stored.opened) {
        const judged = verdict(facts);
        if (judged.word === 'wait') {
          await pause(retryPauseMs(retries.openingReports, attempt));
          continue;
        }
        if (judged.word === 'open') {
          return { deployment: stored, run: await carryOut('open', opening, stored, lastIds, marks), opening };
        }
        stored = await rows.nextRow(stored, known, judged);
      }
      await carryOut('begin', opening, stored, seenIds, []);
      stored = await rows.save(stored.epoch, { ...stored, opened: true });
      const opened = { deployment: stored, run: await carryOut('open', opening, stored, seenIds, marks), opening };
      // They were witnesses of this Redis alone, and no Redis owes them anything any more.
      await history.dismiss(
        facts.history.enlisted.filter(({ dead }) => dead).map(({ id }) => id),
        new Map(),
      );
      return opened;
    }
  }

  /** Whether Redis has all that history knows of it: an older copy may have been put into a server that runs. */
  async function agreesWithHistory(opening: number, here: string, epoch: string): Promise<boolean> {
    const { facts } = await readFacts(opening, here, epoch, false);
    return verdict({ ...facts, history: { ...facts.history, enlisted: [] } }).word === 'open';
  }

  async function holding<Result>(work: () => Promise<Result>): Promise<Result> {
    const renewal = setInterval(() => {
      call('keep', 0, '', 0, 0, 0, 0).catch((thrown: unknown) =>
        log.debug({ event: 'lock_not_renewed', reason: reason(thrown) }),
      );
    }, renewEveryMs);
    try {
      return await work();
    } finally {
      clearInterval(renewal);
      await run(redis, 'drop-lease', [keys.deploymentLock], [token]).catch(() => undefined);
    }
  }

  /**
   * Makes a new append-only file. In one that was cut, Redis 7.0 can leave half a transaction, and carry it out at its
   * next start.
   */
  function renewFile(info: string): void {
    if (infoField(info, 'aof_enabled') !== '1') return;
    redis.bgrewriteaof().catch((thrown: unknown) => log.debug({ event: 'rewrite_refused', reason: reason(thrown) }));
  }

  /**
   * Resolves the deployment once it is open for the run of Redis that this connection is at, by an opening numbered
   * `least` or higher. `known` is the deployment that this process knows; one that knows none looks whether Redis has all
   * that history knows. Rejects if it has to be tried again, and with
   * DeploymentMismatch.
   */
  return async (known: Deployment | null, least: () => number): Promise<Opened> => {
    let hasAsked = false;
    for (;;) {
      const [found, info] = await Promise.all([redis.hgetall(keys.deployment), redis.info()]);
      rows.mustFit(found, info);
      const here = infoField(info, 'run_id');
      const opening = Number(found.gate ?? 0);
      if (found.opened === '1' && found.run === here && opening >= least()) {
        const deployment = known?.epoch === found.epoch ? known : await history.deployment();
        if (
          deployment?.opened === true &&
          deployment.epoch === found.epoch &&
          (known !== null || (await agreesWithHistory(opening, here, deployment.epoch)))
        )
          return { deployment, run: here, opening };
      }
      if (found.opening !== undefined) await report(Number(found.opening), here);
      // Done before the lock is taken, because a store may take long to make its indexes first.
      if (!hasAsked) await history.deployment();
      hasAsked = true;
      const last = token;
      token = `${me}:${++attempts}:${here}`;
      // First gives up the lock of an earlier attempt of this process, which may not have heard that it had it.
      const [, taken] = await Promise.all([
        run(redis, 'drop-lease', [keys.deploymentLock], [last]),
        run<number>(redis, 'hold-lease', [keys.deploymentLock], [token, lockMs]),
      ]);
      if (taken === 1) {
        const opened = await holding(() => open(here, found));
        if (found.run !== here || found.epoch !== opened.deployment.epoch) renewFile(info);
        return opened;
      }
      await pause(retryPauseMs(retries.deploymentLock, 1));
    }
  };
}
