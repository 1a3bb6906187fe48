import { setTimeout as pause } from 'node:timers/promises';
import {
  type ClientSession,
  type Collection,
  type MongoClient,
  MongoError,
  MongoServerError,
  type Timestamp,
} from 'mongodb';
import { monotonicMs } from '../../timing/clocks.ts';
import { retries, retryPauseMs } from '../../timing/retry.ts';
import type { Row } from './connection.ts';

const serverCodes = { duplicateKey: 11_000, snapshotUnavailable: 246 } as const;

export const isDuplicateKey = (error: unknown): boolean =>
  error instanceof MongoServerError && error.code === serverCodes.duplicateKey;
const hasLabel = (error: unknown, label: string): boolean => error instanceof MongoError && error.hasErrorLabel(label);

/**
 * What the operations of one read or transaction are given; each call makes options of its own, since the driver writes
 * into them.
 */
export type Using = () => { session: ClientSession; readConcern?: { level: 'snapshot' }; maxTimeMS?: number };

/** Rejects after this time (ms), whatever the task still waits for: the driver itself bounds no call as a whole. */
export async function within<T>(ms: number, task: (until: number) => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the history did not answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([task(monotonicMs() + ms), late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The ways in which a client reads and writes. `until` is a moment of monotonicMs() after which nothing is tried again.
 *
 * Reads see one state of the database, of writes that a majority has; never an older one than this client has seen or
 * written itself. A new primary may answer them for some seconds without what the one before it had acknowledged to
 * others. So a caller that concludes from a read that something is _not_ stored reads behind a barrier: its own write
 * that a majority has. Only a true primary can make it, with everything before it that was ever acknowledged, and the
 * read waits until it sees it.
 */
export function createSessions(client: MongoClient, barrier: Collection<Row>) {
  let latest: Timestamp | undefined;
  let underWay: Promise<unknown> = Promise.resolve();
  let next: Promise<void> | null = null;

  const begin = (session: ClientSession): void => {
    if (latest) session.advanceOperationTime(latest);
  };
  const note = ({ operationTime }: ClientSession): void => {
    if (operationTime && (!latest || operationTime.greaterThan(latest))) latest = operationTime;
  };

  const writeBarrier = (): Promise<void> =>
    client.withSession(async (session) => {
      await barrier.updateOne({ _id: 'barrier' }, { $inc: { count: 1 } }, { session, upsert: true });
      note(session);
    });

  /** Callers that ask while a barrier is being written share the next one: it begins after all of them have asked. */
  const passBarrier = (): Promise<void> => {
    next ??= underWay.then(() => {
      next = null;
      const written = writeBarrier();
      underWay = written.catch(() => undefined);
      return written;
    });
    return next;
  };

  async function read<T>(until: number, task: (using: Using) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await client.withSession(async (session) => {
          begin(session);
          const maxTimeMS = Math.max(1, Math.ceil(until - monotonicMs()));
          const answer = await task(() => ({ session, readConcern: { level: 'snapshot' }, maxTimeMS }));
          note(session);
          return answer;
        });
      } catch (error) {
        // A collection or an index was made this very moment.
        const isUnavailable = error instanceof MongoServerError && error.code === serverCodes.snapshotUnavailable;
        if (!isUnavailable || monotonicMs() > until) throw error;
        await pause(retryPauseMs(retries.mongoSnapshot, 1));
      }
    }
  }

  async function commit(session: ClientSession, until: number): Promise<void> {
    for (;;) {
      try {
        await session.commitTransaction();
        return;
      } catch (error) {
        if (!hasLabel(error, 'UnknownTransactionCommitResult') || monotonicMs() > until) throw error;
      }
    }
  }

  return {
    read,

    async readBehindBarrier<T>(until: number, task: (using: Using) => Promise<T>): Promise<T> {
      await passBarrier();
      return read(until, task);
    },

    passBarrier,

    /**
     * All of it or nothing. The task is repeated after a conflict with another one's write, a duplicate key among them,
     * and after a change of the primary; what it reads is a state that includes everything acknowledged before, or it
     * does not commit.
     */
    transaction: <T>(until: number, task: (using: Using) => Promise<T>): Promise<T> =>
      client.withSession(async (session) => {
        begin(session);
        for (let attempt = 1; ; attempt++) {
          session.startTransaction({
            readConcern: { level: 'snapshot' },
            writeConcern: { w: 'majority', journal: true },
            maxCommitTimeMS: 5000,
          });
          try {
            const result = await task(() => ({ session }));
            await commit(session, until);
            note(session);
            return result;
          } catch (error) {
            if (session.inTransaction()) await session.abortTransaction().catch(() => undefined);
            const isPassing = hasLabel(error, 'TransientTransactionError') || isDuplicateKey(error);
            if (!isPassing || monotonicMs() > until) throw error;
          }
          await pause(retryPauseMs(retries.mongoTransaction, attempt));
        }
      }),
  };
}

export type Sessions = ReturnType<typeof createSessions>;
