import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Deployment, HistoryStore } from '../history/store.ts';
import { Refusal } from '../model/errors.ts';
import { type Logger, reason } from '../process/log.ts';
import { holdCommands, type OpenRun } from '../redis/connection/held-commands.ts';
import { runOf } from '../redis/connection/run.ts';
import type { Keys } from '../redis/keys.ts';
import { monotonicMs } from '../timing/clocks.ts';
import { retries, retryPauseMs } from '../timing/retry.ts';
import { DeploymentMismatch } from './deployment-rows.ts';
import { createEvidence, type SeenHead, type StoredReport } from './evidence.ts';
import { leaveMarks } from './marks.ts';
import { createOpening } from './opening.ts';
import { createRegistration } from './registration.ts';

/** Openings that doubts cause are at least this far apart (ms): false doubts must not cost much. */
const doubtEveryMs = 5000;
/** How often a process looks whether another one has begun an opening (ms). */
const lookEveryMs = 1000;
/** Answers that say `closed` may be this much older (ms) than an opening that has ended since. */
const staleForMs = 1000;
/** A process that stops waits this long for an opening in progress (ms), because only then can it leave a mark. */
const leaveWithinMs = 3000;

/**
 * Keeps Redis and history consistent: the gate in front of Redis. Redis gives seqs and positions, history stores the
 * seqs. A Redis that comes back wiped, older, or without its last moments would give numbers again. So a process uses
 * Redis only while the deployment is open for exactly the run that its connections lead to. When it starts, reconnects
 * to another run, or finds a slot closed, it takes part in an opening (opening.ts). If state was lost, the epoch
 * changes, the slots concerned are opened again as incomplete, and what they held is loaded from history when it is
 * first needed. So is every user, once.
 *
 * Until then no command of this process passes: see holdCommands. Repeating an opening is harmless.
 */
export function createDeployment(parts: {
  redis: Redis;
  keys: Keys;
  history: HistoryStore;
  /** The id and the role of this process, as it reports itself. */
  process: { id: string; role: string };
  /** Drops all connections of this process to other runs of Redis. */
  keepOnly: (run: string) => void;
  log: Logger;
  fail: (thrown: unknown) => void;
}) {
  const { redis, keys, history, log, fail } = parts;
  const gate: OpenRun = { run: '' };
  const unheld = holdCommands(redis, gate);
  const evidence = createEvidence(keys);
  const registration = createRegistration(history, parts.process);
  const { open: openRun } = createOpening({
    redis: unheld,
    keys,
    history,
    enlisted: registration.enlisted,
    report,
    log,
  });
  const ending = new AbortController();
  let current: Deployment | null = null;
  /** The run and the opening that this process knows as the last ones. */
  let [run, opening] = ['', 0];
  /** The highest format number that this process has seen the deployment at. It never falls. */
  let formats = 0;
  /** The lowest opening that this process may serve under. */
  let least = 0;
  let isEnlisted = false;
  let reported = { opening: 0, run: '' };
  /** When the present opening was looked at because of a closed slot. */
  let foundOpen = { opening: 0, at: -Infinity };
  let running: Promise<void> | null = null;
  const epochListeners: ((deployment: Deployment) => void)[] = [];
  const runListeners: (() => void)[] = [];
  let doubtTimer: NodeJS.Timeout | null = null;
  let nextDoubtMs = 0;

  /**
   * Reports what this process saw. _Must hold:_ from before the report on it uses no slot and no connection to another
   * run, and every command that it has sent is answered or given up: what is still answered later was not seen.
   */
  async function report(number: number, here: string): Promise<void> {
    if (reported.opening === number && reported.run === here) return;
    gate.run = '';
    parts.keepOnly(here);
    await unheld.ping();
    least = Math.max(least, number);
    const stored: StoredReport = { ...(await evidence.collect(unheld)), opening: number, run: here };
    await unheld.hset(keys.reports, registration.id, JSON.stringify(stored));
    reported = { opening: number, run: here };
  }

  async function enlist(): Promise<void> {
    least = Math.max(least, await registration.enlist());
    isEnlisted = true;
  }

  function noteOpened(deployment: Deployment, nowRun: string, number: number): void {
    const [before, runBefore] = [current, run];
    [current, run, opening] = [deployment, nowRun, number];
    formats = Math.max(formats, deployment.formats);
    evidence.enter(deployment.epoch, deployment.generation);
    if (before === null) return;
    if (runBefore !== nowRun || before.epoch !== deployment.epoch) for (const tell of runListeners) tell();
    if (before.epoch !== deployment.epoch) for (const tell of epochListeners) tell(deployment);
  }

  async function untilOpen(above: number): Promise<void> {
    for (let attempt = 1; !ending.signal.aborted; attempt++) {
      try {
        if (!isEnlisted || !registration.isHeard()) await enlist();
        const opened = await openRun(current, () => Math.max(least, above + 1));
        // Before any command passes, listeners forget what they kept of Redis' state.
        noteOpened(opened.deployment, opened.run, opened.opening);
        gate.run = opened.run;
        if (runOf(redis) === opened.run) return;
      } catch (thrown) {
        if (thrown instanceof DeploymentMismatch) {
          // It has seen nothing.
          if (current === null) await registration.leave(new Map()).catch(() => undefined);
          throw thrown;
        }
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

  /** Resolves when the deployment is open by an opening above this number, at the run that the connection leads to. */
  function begin(above: number): Promise<void> {
    running ??= untilOpen(above).finally(() => {
      running = null;
      // The connection broke and was made again just now.
      if (current !== null && redis.status === 'ready' && runOf(redis) !== gate.run && !ending.signal.aborted)
        begin(0).catch(fail);
    });
    return running;
  }

  /**
   * After a script found its slot closed, or a group was missing. Usually another process is opening, or has done so
   * since the script ran, and it is enough to look. If it stays closed, it is opened again.
   */
  async function openAgain(): Promise<void> {
    const now = monotonicMs();
    const since = now - foundOpen.at;
    if (foundOpen.opening === opening && since > staleForMs && since < 10 * staleForMs) return begin(opening);
    if (foundOpen.opening !== opening || since > staleForMs) foundOpen = { opening, at: now };
    return begin(0);
  }

  /** Another process may have begun an opening, or finished one. This one may have lost its row. */
  async function look(): Promise<void> {
    if (current === null || running !== null || redis.status !== 'ready') return;
    if (!registration.isHeard()) await enlist();
    const [isRun, number, next, said] = await unheld.hmget(keys.deployment, 'run', 'gate', 'opening', 'formats');
    if (isRun !== run || Number(number) !== opening || next !== null || opening < least) return begin(0);
    // `jobs` writes a raised number into history before Redis, so it holds from the moment it is seen here.
    formats = Math.max(formats, Number(said ?? 0));
    // One that was being made during the opening may have come to an old primary that still answers. A subscriber there
    // hears nothing, and gets no error.
    parts.keepOnly(run);
  }

  // After a reconnect nothing passes before it is known that the deployment is open for this run.
  redis.on('ready', () => {
    if (current !== null) begin(0).catch(fail);
  });
  const looking = setInterval(() => {
    look().catch((thrown: unknown) => {
      if (thrown instanceof DeploymentMismatch) fail(thrown);
      else log.debug({ event: 'look_failed', reason: reason(thrown) });
    });
  }, lookEveryMs);

  return {
    evidence,
    registration,
    /** Holds back the commands of a further connection in the same way. */
    hold: (other: Redis): Redis => {
      holdCommands(other, gate);
      return other;
    },
    /** What is open now does not count any more: this run needs another opening. */
    distrust: (): void => void (least = Math.max(least, opening + 1)),
    /** Takes part in an opening until the deployment is open. Rejects only with DeploymentMismatch. */
    open: (): Promise<void> => begin(0),
    openAgain,
    /**
     * Whether the deployment is open for this run of Redis, and this process may answer for what it does there. Before,
     * nothing may be written that gives a number.
     */
    get isOpen(): boolean {
      return running === null && gate.run !== '' && gate.run === runOf(redis) && registration.isHeard();
    },
    /**
     * Called with the stream id of an entry that this process made, before it answers for it. Throws `unknown_outcome`
     * if it was not heard of lately: its row may be gone, and then nobody would ask it what it saw.
     */
    answerFor(partition: number, streamId: string): void {
      evidence.seen(partition, streamId);
      if (registration.isHeard()) return;
      throw new Refusal('unknown_outcome', 'this process was away for too long: ask again', { retryAfterMs: 1000 });
    },
    /** Throws before the first `open` resolved. */
    get current(): Deployment {
      if (current === null) throw new Error('the deployment has not been opened');
      return current;
    },
    /**
     * The deployment's format number as it is now: a raise by `jobs` is seen within a second or two. What needs a
     * number (formats.ts) is written and served only once this says so. 0 before the first `open` resolved.
     */
    formats: (): number => formats,
    /** Follows if another process has found another epoch meanwhile. */
    async follow(epoch: string): Promise<void> {
      if (current?.epoch !== epoch) await begin(0);
    },
    /**
     * Has Redis opened again soon, but not too often, because a gateway was told of a head that an inbox no longer
     * reaches.
     */
    doubt(seen: SeenHead): void {
      evidence.ended(seen);
      if (doubtTimer !== null) return;
      doubtTimer = setTimeout(
        () => {
          doubtTimer = null;
          nextDoubtMs = monotonicMs() + doubtEveryMs;
          log.warn({ event: 'state_doubted', user: seen.user, head: seen.head });
          // An opening in progress may have begun without this evidence.
          void (running ?? Promise.resolve()).then(() => begin(opening)).catch(fail);
        },
        Math.max(0, nextDoubtMs - monotonicMs()),
      ).unref();
    },
    /**
     * Called before any command passes, after another run of Redis or another epoch was found. Anything kept of Redis'
     * state may be out of date.
     */
    onRun: (tell: () => void): void => void runListeners.push(tell),
    onEpochChange: (tell: (deployment: Deployment) => void): void => void epochListeners.push(tell),

    /** Leaves in good order: marks in Redis stand for what this process saw. No command passes any more. */
    async leave(): Promise<void> {
      clearInterval(looking);
      if (doubtTimer !== null) clearTimeout(doubtTimer);
      if (running !== null)
        await Promise.race([running, pause(leaveWithinMs, undefined, { ref: false })]).catch(() => {});
      ending.abort();
      const mayLeave = current !== null && gate.run !== '' && gate.run === runOf(redis);
      gate.run = '';
      if (!mayLeave) return;
      await unheld.ping();
      const marks = await leaveMarks(unheld, keys, run);
      if (marks !== null) await registration.leave(marks);
    },
  };
}

export type DeploymentState = ReturnType<typeof createDeployment>;
