import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { backoff } from '../backoff.ts';
import type { Deployment, HistoryStore } from '../history/store.ts';
import { type Logger, reason } from '../log.ts';
import type { Keys } from '../redis/keys.ts';
import { findRedisFaults } from '../redis/capabilities.ts';
import { run } from '../redis/scripts.ts';
import { redisMs } from '../redis/time.ts';
import { withLoss } from './losses.ts';

/** The formats that this version writes; kept with the deployment, so that an older version refuses a newer one's data. */
const formats = '1';

/** The start cannot go on, whatever is tried again. */
class DeploymentMismatch extends Error {
  override readonly name = 'DeploymentMismatch';
}

/** Whoever compares and dies is waited for so long (ms). */
const lockMs = 15_000;

const newEpoch = (): string => randomBytes(9).toString('base64url');

const below = (one: string, other: string): boolean => {
  const [oneMs, oneSeq] = one.split('-').map(Number) as [number, number];
  const [otherMs, otherSeq] = other.split('-').map(Number) as [number, number];
  return oneMs < otherMs || (oneMs === otherMs && oneSeq < otherSeq);
};

/**
 * Holds Redis and history together. Redis hands out seqs and positions, history keeps the first; a Redis that comes back
 * wiped or older would hand out numbers again. So whoever starts, reconnects to another run of Redis, or finds a slot that is
 * not open, compares: history's row about the deployment, and how far each partition was archived. Where history knows more,
 * state was lost: the epoch changes (in history first, then in Redis), every slot is opened again as incomplete, and
 * conversations and users are loaded from history when they are first needed.
 *
 * One process compares at a time. Repeating it is harmless.
 */
export function createDeployment(redis: Redis, keys: Keys, history: HistoryStore, log: Logger, fail: (thrown: unknown) => void) {
  const lock = keys.deploymentLock;
  const me = randomUUID();
  let current: Deployment | null = null;
  let runId = '';
  let running: Promise<void> | null = null;
  let stopped = false;
  const listeners: ((deployment: Deployment) => void)[] = [];

  async function locked<T>(work: () => Promise<T>): Promise<T> {
    while ((await run<number>(redis, 'hold-lease', [lock], [me, lockMs])) !== 1) await pause(50);
    try {
      return await work();
    } finally {
      if ((await redis.get(lock)) === me) await redis.del(lock);
    }
  }

  function mustMatch(found: { partitions: number; inboxShards: number }): void {
    if (found.partitions !== keys.partitions) {
      throw new DeploymentMismatch(`PARTITIONS is ${keys.partitions}, but this deployment was made with ${found.partitions}`);
    }
    if (found.inboxShards !== keys.inboxShards) {
      throw new DeploymentMismatch(`INBOX_SHARDS is ${keys.inboxShards}, but this deployment was made with ${found.inboxShards}`);
    }
  }

  /** Why Redis cannot be what it was, or null. */
  async function lossOf(stored: Deployment, known: Record<string, string>): Promise<string | null> {
    if (known.epoch === undefined) return 'Redis is empty and history is not';
    if (known.epoch !== stored.epoch) return 'Redis is of another epoch than history';
    for (const { partition, streamId } of await history.progress()) {
      const info = (await redis.xinfo('STREAM', keys.messages(partition)).catch(() => null)) as unknown[] | null;
      const last = info === null ? '0-0' : String(info[info.indexOf('last-generated-id') + 1]);
      if (below(last, streamId)) return `partition ${partition} ends at ${last}, history knows ${streamId}`;
    }
    if (known.opened !== '1') return null;
    const slots = [
      ...Array.from({ length: keys.partitions }, (_, number) => keys.partitionSlot(number)),
      ...Array.from({ length: keys.inboxShards }, (_, number) => keys.shardSlot(number)),
    ];
    const pipeline = redis.pipeline();
    for (const slot of slots) pipeline.hget(slot, 'epoch');
    const missing = (await pipeline.exec())!.findIndex(([error, epoch]) => {
      if (error) throw error;
      return epoch !== stored.epoch;
    });
    return missing === -1 ? null : `${slots[missing]} is gone`;
  }

  async function openSlots(deployment: Deployment): Promise<void> {
    const complete = deployment.generation === 0 ? '1' : '0';
    const archived = new Map((await history.progress()).map(({ partition, streamId }) => [partition, streamId]));
    for (let number = 0; number < keys.partitions; number++) {
      await run(redis, 'open-slot', [keys.partitionSlot(number), keys.messages(number)], [
        deployment.epoch, deployment.generation, complete, archived.get(number) ?? '',
      ]);
    }
    for (let number = 0; number < keys.inboxShards; number++) {
      await run(redis, 'open-slot', [keys.shardSlot(number)], [deployment.epoch, deployment.generation, complete]);
    }
  }

  async function compare(): Promise<Deployment> {
    const [fault] = await findRedisFaults(redis);
    if (fault !== undefined) throw new DeploymentMismatch(fault);
    const known = await redis.hgetall(keys.deployment);
    if (known.formats !== undefined && known.formats !== formats) {
      throw new DeploymentMismatch(`this deployment holds formats ${known.formats}, this version writes ${formats}`);
    }
    if (known.partitions !== undefined) mustMatch({ partitions: Number(known.partitions), inboxShards: Number(known.inboxShards) });
    let stored = await history.deployment();
    if (stored === null && known.opened === '1') {
      throw new DeploymentMismatch('history is empty, but this Redis belongs to a deployment that has one: HISTORY_URL names another store');
    }
    if (stored === null) {
      const first: Deployment = {
        epoch: known.epoch ?? newEpoch(), generation: Number(known.generation ?? 0),
        partitions: keys.partitions, inboxShards: keys.inboxShards, opened: true, losses: [],
      };
      await writeKnown(first, known.opened ?? '0');
      stored = await history.saveDeployment(null, first);
      mustMatch(stored);
    } else {
      mustMatch(stored);
      const loss = await lossOf(stored, known);
      if (loss !== null) {
        const lostSince = (await history.progress()).reduce((least, { completeAt }) => Math.min(least, completeAt), await redisMs(redis));
        const [epoch, generation] = [newEpoch(), stored.generation + 1];
        const next: Deployment = { ...stored, epoch, generation, losses: withLoss(stored.losses, { epoch, generation, lostSince }) };
        stored = await history.saveDeployment(stored.epoch, next);
        log.error({ event: 'state_lost', reason: loss, epoch: stored.epoch, generation: stored.generation, lostSince });
        await writeKnown(stored, '0');
      }
    }
    await openSlots(stored);
    await redis.hset(keys.deployment, 'opened', '1');
    return stored;
  }

  async function writeKnown(deployment: Deployment, opened: string): Promise<void> {
    await redis.hset(keys.deployment, {
      epoch: deployment.epoch, generation: deployment.generation, partitions: keys.partitions, inboxShards: keys.inboxShards,
      formats, opened,
    });
  }

  async function readRunId(): Promise<string> {
    return /run_id:(\w+)/.exec(await redis.info('server'))?.[1] ?? '';
  }

  /** `always`, or only if this is another run of Redis than the one that was compared. */
  async function untilCompared(always: boolean): Promise<void> {
    for (let attempt = 1; !stopped; attempt++) {
      try {
        const nowRunId = await readRunId();
        if (!always && nowRunId === runId) return;
        const before = current;
        const found = await locked(compare);
        current = found;
        runId = nowRunId;
        if (before !== null && before.epoch !== found.epoch) for (const tell of listeners) tell(found);
        return;
      } catch (thrown) {
        if (thrown instanceof DeploymentMismatch) throw thrown;
        log.warn({ event: 'opening_failed', attempt, reason: reason(thrown) });
        await pause(backoff(attempt, 100, 2000));
      }
    }
  }

  function begin(always: boolean): Promise<void> {
    running ??= untilCompared(always).finally(() => {
      running = null;
    });
    return running;
  }

  /** Compares now, or joins the comparison that is under way. Rejects only with DeploymentMismatch. */
  const open = (): Promise<void> => begin(true);

  // After a reconnect nothing is taken before it is known that this is the same Redis, or it has been compared.
  redis.on('ready', () => {
    if (current !== null) begin(false).catch(fail);
  });

  return {
    open,
    /** Whether this run of Redis has been compared with history, and none is under way: before, nothing may be written that gives a number. */
    get isOpen(): boolean {
      return current !== null && running === null;
    },
    /** Throws before the first `open` resolved. */
    get current(): Deployment {
      if (current === null) throw new Error('the deployment has not been opened');
      return current;
    },
    /** Compares again if another process has found another epoch meanwhile. */
    async follow(epoch: string): Promise<void> {
      if (current?.epoch !== epoch) await open();
    },
    onEpochChange: (tell: (deployment: Deployment) => void): void => void listeners.push(tell),
    stop: (): void => {
      stopped = true;
    },
  };
}

export type DeploymentState = ReturnType<typeof createDeployment>;
