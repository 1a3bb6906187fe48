import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Deployment, HistoryStore } from '../history/store.ts';
import { type Logger, reason } from '../process/log.ts';
import type { Keys } from '../redis/keys.ts';
import { run } from '../redis/scripts.ts';
import { infoField } from '../redis/server-info.ts';
import { retries, retryPauseMs } from '../timing/retry.ts';
import { createDeploymentRows, formats } from './deployment-rows.ts';

/** How long the lock outlives a process that dies while it compares (ms). A living one renews it. */
const lockMs = 5000;
const renewEveryMs = 1500;

/**
 * A head of an inbox that a gateway was told. Heads never fall within an epoch, so an inbox that ends below it proves a
 * loss.
 */
export type Witness = { user: string; epoch: string; head: number };

/** The result of a comparison: the deployment, and the run id of the Redis that was found to belong to it. */
export type Compared = { deployment: Deployment; run: string };

type Reply = ['not_held'] | ['kept'] | ['begun'] | ['lost', string] | ['opened', string];

/**
 * Compares Redis with history, one process at a time, in these steps:
 *
 *   1. Take the lock. Read the row about the deployment from history, and how far each partition was archived.
 *   2. `compare` (open-deployment.lua): Redis checks itself against that in one step, and opens.
 *   3. If something is missing, write the row with the next epoch, not opened yet. `begin`: Redis notes the epoch. Mark
 *      the row opened, and go back to 2.
 *
 * _Must hold:_ every step in Redis checks that the lock is still held. The lock is held by a token of this one attempt
 * in this run of Redis, and the row changes only from the epoch that was read, so a slow process does nothing any more.
 * No number is given in an epoch whose row is not opened. So a process that finds such a row goes on with it, and one
 * loss stays one loss whichever process dies. A time-out, or any other missing reply, means that all of it is tried
 * again. test/model/comparing.test.ts checks every interleaving of a small model.
 *
 * A process that waits for the lock takes the result of a comparison that another one has finished meanwhile.
 */
export function createComparison(redis: Redis, keys: Keys, history: HistoryStore, log: Logger) {
  const me = randomUUID();
  const rows = createDeploymentRows(redis, keys, history, log);
  const numbers = (count: number): number[] => Array.from({ length: count }, (_, number) => number);
  const slotKeys = [
    keys.deploymentLock,
    keys.deployment,
    ...numbers(keys.partitions).flatMap((number) => [keys.partitionSlot(number), keys.messages(number)]),
    ...numbers(keys.inboxShards).map((number) => keys.shardSlot(number)),
  ];
  let attempts = 0;
  let token = '';

  /** Carries out one step in Redis. Rejects if the lock is no longer held. */
  async function step(
    name: 'keep' | 'begin' | 'compare',
    { epoch, generation }: Deployment,
    archived: string[],
    witnesses: readonly Witness[],
  ): Promise<Reply> {
    const reply = await run<Reply>(
      redis,
      'open-deployment',
      [...slotKeys, ...witnesses.map(({ user }) => keys.user(user))],
      [
        token,
        lockMs,
        name,
        epoch,
        generation,
        keys.partitions,
        keys.inboxShards,
        formats,
        ...archived,
        ...witnesses.map(({ head }) => head),
      ],
    );
    if (reply[0] === 'not_held') throw new Error('the lock was lost: another process compares');
    return reply;
  }

  /** Requires the lock. */
  async function compare(witnesses: readonly Witness[]): Promise<Compared> {
    const [known, row, progress] = await Promise.all([
      redis.hgetall(keys.deployment),
      history.deployment(),
      history.progress(),
    ]);
    let stored = row ?? (await rows.firstRow(known));
    rows.mustMatch(stored);
    const byPartition = new Map(progress.map(({ partition, streamId }) => [partition, streamId]));
    const archived = numbers(keys.partitions).map((number) => byPartition.get(number) ?? '');
    if (stored.opened) {
      const [word, what] = await step(
        'compare',
        stored,
        archived,
        witnesses.filter(({ epoch }) => epoch === stored.epoch),
      );
      if (word === 'opened') return { deployment: stored, run: what };
      stored = await rows.nextRow(stored, known, what!);
    }
    await step('begin', stored, archived, []);
    stored = await rows.save(stored.epoch, { ...stored, opened: true });
    const [word, what] = await step('compare', stored, archived, []);
    // Redis was wiped in between: that is the next loss, and the next attempt finds it.
    if (word !== 'opened') throw new Error(String(what));
    return { deployment: stored, run: what };
  }

  async function holding<Result>(work: () => Promise<Result>): Promise<Result> {
    const renewal = setInterval(() => {
      run(redis, 'open-deployment', slotKeys, [token, lockMs, 'keep', '', '', 0, 0, '']).catch((thrown: unknown) =>
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
   * Resolves the deployment that this run of Redis belongs to. `known` is the deployment that this process knows. Any
   * comparison of this run is enough, with two exceptions: with `again`, only one that ends after the call counts, and
   * with witnesses, only one of this process. Rejects if it has to be tried again, and with DeploymentMismatch.
   */
  return async (known: Deployment | null, again: boolean, witnesses: readonly Witness[]): Promise<Compared> => {
    let before: string | null = null;
    let isOpen = false;
    for (;;) {
      const [found, info] = await Promise.all([redis.hgetall(keys.deployment), redis.info()]);
      rows.mustFit(found, info);
      const here = infoField(info, 'run_id');
      const isCompared =
        found.opened === '1' && found.run === here && (!again || (before !== null && before !== found.compared));
      before ??= found.compared ?? '';
      if (isCompared && witnesses.length === 0) {
        const deployment = known?.epoch === found.epoch ? known : await history.deployment();
        if (deployment?.opened === true && deployment.epoch === found.epoch) return { deployment, run: here };
      }
      // Done before the lock is taken, because a store may take long to make its indexes first.
      if (!isOpen) await history.deployment();
      isOpen = true;
      const last = token;
      token = `${me}:${++attempts}:${here}`;
      // First gives up the lock of an earlier attempt of this process, which may not have heard that it had it.
      const [, taken] = await Promise.all([
        run(redis, 'drop-lease', [keys.deploymentLock], [last]),
        run<number>(redis, 'hold-lease', [keys.deploymentLock], [token, lockMs]),
      ]);
      if (taken === 1) {
        const compared = await holding(() => compare(witnesses));
        if (found.run !== here || found.epoch !== compared.deployment.epoch) renewFile(info);
        return compared;
      }
      await pause(retryPauseMs(retries.deploymentLock, 1));
    }
  };
}
