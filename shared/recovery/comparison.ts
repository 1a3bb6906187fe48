import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Deployment, HistoryStore } from '../history/store.ts';
import { type Logger, reason } from '../process/log.ts';
import { findRedisFaults } from '../redis/capabilities.ts';
import type { Keys } from '../redis/keys.ts';
import { redisMs } from '../redis/redis-time.ts';
import { run } from '../redis/scripts.ts';
import { retries, retryPauseMs } from '../timing/retry.ts';
import { withLoss } from './losses.ts';

/**
 * The formats that this version writes; kept with the deployment, so that an older version refuses a newer one's data.
 */
const formats = '1';

/** Whoever compares and dies is waited for so long (ms); while it lives it renews the lock. */
const lockMs = 5000;
const renewEveryMs = 1500;

/** The start cannot go on, whatever is tried again. */
export class DeploymentMismatch extends Error {
  override readonly name = 'DeploymentMismatch';
}

/**
 * Heads never fall within an epoch: one that somebody was told, and that the inbox does not reach, is proof of a loss.
 */
export type Witness = { user: string; epoch: string; head: number };

/** What a comparison resolves: the deployment, and the run of Redis that was found to belong to it. */
export type Compared = { deployment: Deployment; run: string };

type Reply = ['not_held'] | ['kept'] | ['begun'] | ['lost', string] | ['opened', string];

const newEpoch = (): string => randomBytes(9).toString('base64url');
const runOf = (info: string): string => /^run_id:(\w+)/m.exec(info)?.[1] ?? '';

/**
 * Compares Redis with history, one process at a time, in these steps:
 *
 *   1. take the lock; read what history has: the row about the deployment, and how far each partition was archived
 *   2. `compare` (open-deployment.lua): Redis judges itself by that, in one step, and opens
 *   3. where something is missing: the row gets the next epoch, not opened yet. `begin`: Redis notes it. The row:
 *      opened. Then 2 again
 *
 * *Must hold:* every step in Redis checks that the lock is still held, by a token of this one attempt in this run of
 * Redis, and the row changes only from the epoch that was read: who was slow does nothing any more. No number is given
 * in an epoch that its row does not call opened, so whoever finds such a row goes on with it, and one loss stays one
 * loss whoever dies. A time-out, or anything else but an answer, is no answer, and the whole is tried again. Every
 * interleaving of a small model is looked at in test/model/comparing.test.ts.
 *
 * Whoever waits for the lock takes the result of another's comparison that was finished meanwhile.
 */
export function createComparison(redis: Redis, keys: Keys, history: HistoryStore, log: Logger) {
  const me = randomUUID();
  const numbers = (count: number): number[] => Array.from({ length: count }, (_, number) => number);
  const slotKeys = [
    keys.deploymentLock,
    keys.deployment,
    ...numbers(keys.partitions).flatMap((number) => [keys.partitionSlot(number), keys.messages(number)]),
    ...numbers(keys.inboxShards).map((number) => keys.shardSlot(number)),
  ];
  let attempts = 0;
  let token = '';

  function mustMatch(found: { partitions: number; inboxShards: number }): void {
    if (found.partitions !== keys.partitions) {
      throw new DeploymentMismatch(
        `PARTITIONS is ${keys.partitions}, but this deployment was made with ${found.partitions}`,
      );
    }
    if (found.inboxShards !== keys.inboxShards) {
      throw new DeploymentMismatch(
        `INBOX_SHARDS is ${keys.inboxShards}, but this deployment was made with ${found.inboxShards}`,
      );
    }
  }

  function mustFit(known: Record<string, string>, info: string): void {
    const [fault] = findRedisFaults(info);
    if (fault !== undefined) throw new DeploymentMismatch(fault);
    if (known.formats !== undefined && known.formats !== formats) {
      throw new DeploymentMismatch(`this deployment holds formats ${known.formats}, this version writes ${formats}`);
    }
    if (known.partitions !== undefined)
      mustMatch({ partitions: Number(known.partitions), inboxShards: Number(known.inboxShards) });
  }

  /** One step in Redis. Rejects when the lock is not held any more. */
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

  /** Changes the row if it is still what was read. Rejects when another process has made another epoch meanwhile. */
  async function save(before: string | null, next: Deployment): Promise<Deployment> {
    const saved = await history.saveDeployment(before, next);
    if (saved.epoch !== next.epoch) throw new Error('another process has changed the deployment');
    mustMatch(saved);
    return saved;
  }

  async function firstRow(known: Record<string, string>): Promise<Deployment> {
    if (known.opened === '1') {
      throw new DeploymentMismatch(
        'history is empty, but this Redis belongs to a deployment that has one: HISTORY_URL names another store',
      );
    }
    const { epoch = newEpoch(), generation = '0' } = known;
    return save(null, {
      epoch,
      generation: Number(generation),
      partitions: keys.partitions,
      inboxShards: keys.inboxShards,
      opened: false,
      losses: [],
    });
  }

  /** The row after a loss. Its generation is above that of any slot, should history be older than Redis. */
  async function nextRow(stored: Deployment, known: Record<string, string>, what: string): Promise<Deployment> {
    const [now, progress] = await Promise.all([redisMs(redis), history.progress()]);
    const lostSince = progress.reduce((least, { completeAt }) => Math.min(least, completeAt), now);
    const [epoch, generation] = [newEpoch(), Math.max(stored.generation, Number(known.generation ?? 0)) + 1];
    const saved = await save(stored.epoch, {
      ...stored,
      epoch,
      generation,
      opened: false,
      losses: withLoss(stored.losses, { epoch, generation, lostSince }),
    });
    log.error({ event: 'state_lost', reason: what, epoch, generation, lostSince });
    return saved;
  }

  /** With the lock held. */
  async function compare(witnesses: readonly Witness[]): Promise<Compared> {
    const [known, row, progress] = await Promise.all([
      redis.hgetall(keys.deployment),
      history.deployment(),
      history.progress(),
    ]);
    let stored = row ?? (await firstRow(known));
    mustMatch(stored);
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
      stored = await nextRow(stored, known, what!);
    }
    await step('begin', stored, archived, []);
    stored = await save(stored.epoch, { ...stored, opened: true });
    const [word, what] = await step('compare', stored, archived, []);
    // Wiped in between: that is the next loss, and is found by the next attempt.
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
   * Redis 7.0 can leave half a transaction in an append-only file that was cut, and carry it out at its next start: a
   * new file has none.
   */
  function renewFile(info: string): void {
    if (!/^aof_enabled:1/m.test(info)) return;
    redis.bgrewriteaof().catch((thrown: unknown) => log.debug({ event: 'rewrite_refused', reason: reason(thrown) }));
  }

  /**
   * Resolves with what this run of Redis belongs to. `known` is what this process knows. Any comparison of this run
   * suffices, unless it is asked for `anew`: then only one that is finished after the call, and with witnesses only one
   * of its own. Rejects when it has to be tried again, and with DeploymentMismatch.
   */
  return async (known: Deployment | null, anew: boolean, witnesses: readonly Witness[]): Promise<Compared> => {
    let before: string | null = null;
    let isOpen = false;
    for (;;) {
      const [found, info] = await Promise.all([redis.hgetall(keys.deployment), redis.info()]);
      mustFit(found, info);
      const here = runOf(info);
      const isCompared =
        found.opened === '1' && found.run === here && (!anew || (before !== null && before !== found.compared));
      before ??= found.compared ?? '';
      if (isCompared && witnesses.length === 0) {
        const deployment = known?.epoch === found.epoch ? known : await history.deployment();
        if (deployment?.opened === true && deployment.epoch === found.epoch) return { deployment, run: here };
      }
      // Before the lock is taken: a store that makes its indexes first may take long.
      if (!isOpen) await history.deployment();
      isOpen = true;
      const last = token;
      token = `${me}:${++attempts}:${here}`;
      // What an earlier attempt of this process may have left of the lock is given up first, also one that did not hear
      // that it had it.
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
