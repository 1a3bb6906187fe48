import { badRequest, Refusal, retryLater } from '../../shared/model/errors.ts';
import { isReached, type Level, levels } from '../../shared/model/levels.ts';
import { messageId } from '../../shared/model/message-text.ts';
import type { Accepted } from '../../shared/model/results.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import type { Barrier } from '../../shared/redis/barrier.ts';
import type { Durability } from '../../shared/redis/durability.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import type { Sought, StoredLookup } from './stored-lookup.ts';

/** Maximum answers of a gateway that wait for their level. Beyond it, sends that ask for more are refused. */
const mostWaitingAnswers = 100_000;
/** The archive tells of a message within this time, or history is asked (ms). */
const toldWithinMs = 400;

/** Called once with the level that was reached, or with a refusal if the epoch has changed. */
export type Ended = (reached: Level | Refusal) => void;

type Wait = Sought & { level: Level; reached: Level; since: number; ended: Ended };

const withoutDurable: readonly Level[] = levels.filter((level) => level !== 'durable');

/**
 * The answers of accepted messages that wait for a level.
 *
 *   accepted ──barrier passed──▶ durable
 *      │  └──────archive told, or history asked──────▶ stored (which implies durable)
 *      └──after ACK_WAIT_MS: the level that was reached; new epoch: unknown_outcome
 *
 * A barrier says something only of the run of Redis that gave the answer. If that run has ended, or the barrier fails,
 * history is asked. A message that was accepted is never refused: its answer may only say less.
 */
export function createLevels(parts: {
  /** The level of a send that names none. */
  byDefault: Level;
  waitMs: number;
  /** The run of Redis that the last answer to a send came from; '' if its connection has closed since. */
  acceptingRun: () => string;
  durability: Durability;
  barrier: Pick<Barrier, 'pass'>;
  lookup: (found: (sought: Sought) => void) => StoredLookup;
  metrics: Pick<Metrics, 'durableSeconds' | 'storedSeconds' | 'levelMissed'>;
}) {
  const { byDefault, durability, metrics } = parts;
  let { waitMs } = parts;
  /** In the order in which they began, so in the order of their deadlines. */
  const waits = new Set<Wait>();
  /** Those that the archive tells of, by message id. */
  const told = new Map<string, Wait>();
  let timer: NodeJS.Timeout | null = null;
  const lookup = parts.lookup((sought) => reach(sought as Wait, 'stored'));

  function end(wait: Wait, outcome: Level | Refusal): void {
    if (!waits.delete(wait)) return;
    lookup.forget(wait);
    if (told.get(wait.id) === wait) told.delete(wait.id);
    wait.ended(outcome);
  }

  function reach(wait: Wait, reached: Level): void {
    if (!waits.has(wait)) return;
    wait.reached = reached;
    if (!isReached(reached, wait.level)) return;
    const seconds = wait.level === 'durable' ? metrics.durableSeconds : metrics.storedSeconds;
    seconds.observe((monotonicMs() - wait.since) / 1000);
    end(wait, reached);
  }

  function expire(): void {
    timer = null;
    const now = monotonicMs();
    for (const wait of waits) {
      if (wait.since + waitMs > now) break;
      metrics.levelMissed.inc({ level: wait.level });
      end(wait, wait.reached);
    }
    arm();
  }

  function arm(): void {
    const [first] = waits;
    if (timer !== null || first === undefined) return;
    timer = setTimeout(expire, Math.max(1, first.since + waitMs - monotonicMs())).unref();
  }

  /**
   * Calls `ended` once, at once if nothing is left to wait for. To be called in the turn of the event loop in which the
   * answer to the send was read: the run of Redis is that of now.
   */
  function begin(accepted: Accepted, level: Level, ended: Ended): void {
    const run = parts.acceptingRun();
    const inThisRun = run !== '' && run === durability.run && accepted.fromHistory === undefined;
    const isDurable = inThisRun && durability.means === 'at-once';
    const reached = isDurable ? 'durable' : 'accepted';
    if (isReached(reached, level)) return ended(reached);
    const { id, conversation, seq } = accepted;
    const wait: Wait = { id, conversation, seq, level, reached, since: monotonicMs(), ended };
    waits.add(wait);
    arm();
    if (level === 'durable' && inThisRun && durability.means !== null)
      parts.barrier.pass(run, (passed) => {
        if (passed) reach(wait, 'durable');
        else if (waits.has(wait)) lookup.seek(wait);
      });
    else if (level === 'stored' && !accepted.duplicate) {
      told.set(id, wait);
      lookup.seek(wait, toldWithinMs);
    } else lookup.seek(wait);
  }

  return {
    /** The levels that this deployment can give, lowest first. */
    get given(): readonly Level[] {
      return durability.means === null ? withoutDurable : levels;
    },

    /** The level of a send. Throws `bad_request` for one that cannot be given, and `retry_later` if too many wait. */
    asked(level: Level | undefined): Level {
      const asked = level ?? byDefault;
      if (asked === 'accepted') return asked;
      if (level === 'durable' && durability.means === null)
        throw badRequest('level: this server cannot give durable, see limits.levels');
      if (waits.size >= mostWaitingAnswers) throw retryLater('too many answers are waiting for their level');
      return asked;
    },

    begin,

    /** As `begin`; rejects with the refusal. */
    reach: (accepted: Accepted, level: Level): Promise<Level> =>
      new Promise((resolve, reject) =>
        begin(accepted, level, (outcome) => (outcome instanceof Refusal ? reject(outcome) : resolve(outcome))),
      ),

    /** History has these messages of a partition. */
    stored(partition: number, streamIds: readonly string[]): void {
      for (const streamId of streamIds) {
        const wait = told.get(messageId(partition, streamId));
        if (wait !== undefined) reach(wait, 'stored');
      }
    },

    /** What waits was accepted in an epoch that has ended. */
    epochChanged(): void {
      for (const wait of waits)
        end(wait, new Refusal('unknown_outcome', 'state was lost: send again with the same clientId'));
    },

    /** Answers waiting, by the level that they wait for. */
    waiting(): { level: Level; count: number }[] {
      const counts = Map.groupBy(waits, ({ level }) => level);
      return withoutAccepted.map((level) => ({ level, count: counts.get(level)?.length ?? 0 }));
    },

    /** The process stops: no answer waits longer than this from now on. */
    hurry(mostMs: number): void {
      waitMs = Math.min(waitMs, mostMs);
      if (timer !== null) clearTimeout(timer);
      timer = null;
      expire();
    },

    stop(): void {
      if (timer !== null) clearTimeout(timer);
      lookup.stop();
    },
  };
}

const withoutAccepted: readonly Level[] = levels.filter((level) => level !== 'accepted');

export type Levels = ReturnType<typeof createLevels>;
