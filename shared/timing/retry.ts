/**
 * How long to wait before each kind of retry. Every pause of the server stands in this table; sdk/ has its own.
 *
 * Exponential backoff: the pause before retry n is `firstMs * 2^(n-1)`, at most `mostMs`. The share `jitter` of it (0
 * to 1) is random, so that many clients of one service do not come back together. 1 is full jitter.
 */
export type RetryCurve = { firstMs: number; mostMs: number; jitter: number };

/** A retry of a job: after `attempts` attempts in all the job has failed for good. */
export type JobRetry = RetryCurve & { attempts: number };

export const retries = {
  /** The connection to Redis is made again. Short: a new primary must be found within a second. */
  redisConnection: { firstMs: 50, mostMs: 500, jitter: 0.5 },
  /** Redis is opened again, after an opening failed. */
  deploymentOpening: { firstMs: 50, mostMs: 1000, jitter: 0.5 },
  /** Another process holds the lock of the opening. */
  deploymentLock: { firstMs: 40, mostMs: 40, jitter: 0.5 },
  /** Not every process has reported yet. */
  openingReports: { firstMs: 20, mostMs: 200, jitter: 0 },
  /** Redis could not be asked how it makes writes durable. */
  durability: { firstMs: 100, mostMs: 5000, jitter: 0.5 },
  /** History is asked whether it has a message that a sender waits for. */
  storedLookup: { firstMs: 50, mostMs: 400, jitter: 0 },
  /** It could not be told that a user is offline. */
  presence: { firstMs: 500, mostMs: 10_000, jitter: 0.5 },

  /**
   * A history that could not be opened, or broke, is opened again when somebody asks. Until then calls are rejected.
   */
  historyOpening: { firstMs: 100, mostMs: 5000, jitter: 0 },
  /** Another process has the SQLite file to itself for a moment. Blocks the thread. */
  sqliteBusy: { firstMs: 30, mostMs: 30, jitter: 2 / 3 },
  /** A MongoDB transaction met another one, or a new primary. */
  mongoTransaction: { firstMs: 10, mostMs: 200, jitter: 1 },
  /** MongoDB has no snapshot: a collection or an index was made at that moment. */
  mongoSnapshot: { firstMs: 20, mostMs: 20, jitter: 0 },

  /** The file of the search index could not be opened, or its thread ended. */
  searchOpening: { firstMs: 100, mostMs: 5000, jitter: 0 },
  /** The search index could not be brought up to date: Redis, history or the index is away. */
  searchFollower: { firstMs: 100, mostMs: 5000, jitter: 0.5 },

  /** Keys of tokens are fetched at most once in `firstMs`. After failures a fetch waits longer. */
  keyServer: { firstMs: 1000, mostMs: 15_000, jitter: 0 },

  /** A stream consumer failed by what its batch is not to blame for: Redis or the store is away. */
  streamConsumer: { firstMs: 50, mostMs: 2000, jitter: 0.5 },
  /** A batch failed by its own fault. Retried in smaller parts until one entry stands alone (poison-search.ts). */
  streamBatch: { firstMs: 50, mostMs: 2000, jitter: 0.5 },
  /** Something before the batch is missing, and may still come. */
  streamOrder: { firstMs: 10, mostMs: 1000, jitter: 0.5 },
  /** A foreign consumer has read the oldest entry of a group, too recently to take the entry back. */
  foreignConsumer: { firstMs: 1000, mostMs: 1000, jitter: 0 },

  /** An audit looks again at what may have been on its way. The sum is longer than a new primary of MongoDB takes. */
  auditAgain: { firstMs: 200, mostMs: 3000, jitter: 0 },

  /** A BullMQ worker lost its connection and asks for jobs again. */
  jobFetch: { firstMs: 1000, mostMs: 1000, jitter: 0 },
} as const satisfies Record<string, RetryCurve>;

export const jobRetries = {
  /** A job that a schedule makes. Its next turn does the work of a failed one. */
  scheduled: { attempts: 5, firstMs: 500, mostMs: Infinity, jitter: 0 },
  /** The replay of a dead letter. */
  replay: { attempts: 5, firstMs: 1000, mostMs: Infinity, jitter: 0 },
  /** A failed job whose dead letter is replayed. */
  repeated: { attempts: 3, firstMs: 1000, mostMs: Infinity, jitter: 0 },
  /**
   * An item is pushed again. This comes on top of the time that a device has to receive it. Some attempts push, one
   * more finds the connection given up; the rest are for attempts that find no connection.
   */
  redelivery: { attempts: 8, firstMs: 10_000, mostMs: 40_000, jitter: 1 },
  /** A notification whose channel did not take it: a receiver may be away for minutes, or still be set up. */
  notification: { attempts: 8, firstMs: 1000, mostMs: 300_000, jitter: 1 },
} as const satisfies Record<string, JobRetry>;

/** The pause (ms) before retry number `attempt` (1, 2, …). */
export function retryPauseMs(
  { firstMs, mostMs, jitter }: RetryCurve,
  attempt: number,
  random: () => number = Math.random,
): number {
  return Math.min(firstMs * 2 ** Math.min(attempt - 1, 30), mostMs) * (1 - jitter + jitter * random());
}
