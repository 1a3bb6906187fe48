import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Deployment, HistoryStore } from '../history/store.ts';
import { type Logger, reason } from '../process/log.ts';
import { holdCommands } from '../redis/connection/held-commands.ts';
import type { Keys } from '../redis/keys.ts';
import { monotonicMs } from '../timing/clocks.ts';
import { retries, retryPauseMs } from '../timing/retry.ts';
import { createComparison, type Witness } from './comparison.ts';
import { DeploymentMismatch } from './deployment-rows.ts';

/** Limits for comparisons that witnesses cause: their interval (ms) and number. False witnesses must not cost much. */
const witnessEveryMs = 5000;
const mostWitnesses = 20;

/**
 * Keeps Redis and history consistent. Redis gives seqs and positions, history stores the seqs. A Redis that comes back
 * wiped or older would give numbers again. So a process compares (comparison.ts) when it starts, reconnects to another
 * run of Redis, or finds a slot that is not open. If history knows more, state was lost: the epoch changes, every slot
 * is opened again as incomplete, and conversations and users are loaded from history when they are first needed.
 *
 * Until then no command of this process passes: see holdCommands. Repeating a comparison is harmless.
 */
export function createDeployment(
  redis: Redis,
  keys: Keys,
  history: HistoryStore,
  log: Logger,
  fail: (thrown: unknown) => void,
) {
  const held = holdCommands(redis);
  const compare = createComparison(held.unheld, keys, history, log);
  const ending = new AbortController();
  let current: Deployment | null = null;
  let run = '';
  let running: Promise<void> | null = null;
  const epochListeners: ((deployment: Deployment) => void)[] = [];
  const runListeners: (() => void)[] = [];
  let witnesses: Witness[] = [];
  let witnessTimer: NodeJS.Timeout | null = null;
  let nextWitnessMs = 0;

  function noteCompared(deployment: Deployment, nowRun: string): void {
    const [before, runBefore] = [current, run];
    [current, run] = [deployment, nowRun];
    if (before === null) return;
    if (runBefore !== nowRun || before.epoch !== deployment.epoch) for (const tell of runListeners) tell();
    if (before.epoch !== deployment.epoch) for (const tell of epochListeners) tell(deployment);
  }

  /** Compares `again`, or only if this is another run of Redis than the one that was compared. */
  async function untilCompared(again: boolean): Promise<void> {
    for (let attempt = 1; !ending.signal.aborted; attempt++) {
      const { connection } = held;
      const heard = witnesses;
      try {
        const compared = await compare(current, again, heard);
        witnesses = witnesses.filter((one) => !heard.includes(one));
        // Before any command passes, listeners forget what they kept of Redis' state.
        noteCompared(compared.deployment, compared.run);
        if (held.release(connection)) return;
      } catch (thrown) {
        if (thrown instanceof DeploymentMismatch) throw thrown;
        log.warn({ event: 'opening_failed', attempt, reason: reason(thrown) });
        await pauseUntilReady(retryPauseMs(retries.deploymentOpening, attempt));
      }
    }
  }

  /** Ends early when the connection is made: then it is worth another try at once. */
  async function pauseUntilReady(ms: number): Promise<void> {
    const done = new AbortController();
    const signal = AbortSignal.any([done.signal, ending.signal]);
    await Promise.race([pause(ms, undefined, { signal }), once(redis, 'ready', { signal })]).catch(() => undefined);
    done.abort();
  }

  function begin(again: boolean): Promise<void> {
    running ??= untilCompared(again).finally(() => {
      running = null;
      // The connection broke and was made again just now, or somebody has witnessed something meanwhile.
      if (held.isHeld && redis.status === 'ready' && current !== null && !ending.signal.aborted)
        begin(false).catch(fail);
    });
    return running;
  }

  /** Compares now, or joins the comparison in progress. Rejects only with DeploymentMismatch. */
  const open = (): Promise<void> => begin(true);

  // After a reconnect nothing passes before it is known that this is the same Redis, or it has been compared.
  redis.on('ready', () => {
    if (current !== null) begin(false).catch(fail);
  });

  return {
    open,
    /**
     * Whether this run of Redis has been compared with history, and none is under way: before, nothing may be written
     * that gives a number.
     */
    get isOpen(): boolean {
      return current !== null && running === null && !held.isHeld;
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
    /**
     * Has Redis compared soon, but not too often, because a gateway was told of a head that an inbox no longer
     * reaches.
     */
    doubt(witness: Witness): void {
      if (witnesses.length < mostWitnesses) witnesses = [...witnesses, witness];
      if (witnessTimer !== null) return;
      witnessTimer = setTimeout(
        () => {
          witnessTimer = null;
          nextWitnessMs = monotonicMs() + witnessEveryMs;
          log.warn({ event: 'state_doubted', user: witness.user, head: witness.head });
          // A comparison in progress may have begun without this witness.
          void (running ?? Promise.resolve()).then(open).catch(fail);
        },
        Math.max(0, nextWitnessMs - monotonicMs()),
      ).unref();
    },
    /**
     * Called before any command passes, after another run of Redis or another epoch was found. Anything kept of Redis'
     * state may be out of date.
     */
    onRun: (tell: () => void): void => void runListeners.push(tell),
    onEpochChange: (tell: (deployment: Deployment) => void): void => void epochListeners.push(tell),
    stop: (): void => {
      ending.abort();
      if (witnessTimer !== null) clearTimeout(witnessTimer);
    },
  };
}

export type DeploymentState = ReturnType<typeof createDeployment>;
