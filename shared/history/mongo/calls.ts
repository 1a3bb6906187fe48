import { MongoClient } from 'mongodb';
import { reopening } from '../reopening.ts';
import { clientOptions, connect, type Connected } from './connection.ts';
import { createSessions, type Sessions, type Using, within } from './sessions.ts';

/** How long a call may take (ms). A reader waits for `page`; `look` brings back or compares; `write` writes. */
export const callMs = { page: 4000, look: 10_000, write: 15_000 } as const;

export type Open = Connected & { sessions: Sessions };

/**
 * The calls of one store: each connects if needed and has a time limit. The first one makes the indexes. While the
 * server cannot be reached the calls reject, and later ones succeed again. Throws if the URL is malformed.
 */
export function createCalls(url: string) {
  // Only to throw now for a malformed URL; a client opens nothing until it is used.
  new MongoClient(url, clientOptions);
  const connection = reopening(async () => {
    const connected = await connect(url);
    return { ...connected, sessions: createSessions(connected.client, connected.barrier) };
  });
  let isClosed = false;

  /** `until`: a moment of monotonicMs() after which nothing is tried again. */
  const call = <T>(ms: number, task: (open: Open, until: number) => Promise<T>): Promise<T> =>
    within(ms, async (until) => {
      if (isClosed) throw new Error('the history store is closed');
      const open = await connection.get();
      open.mustHavePrimary();
      return task(open, until);
    });

  return {
    call,

    read: <T>(ms: number, task: (open: Open, using: Using) => Promise<T>): Promise<T> =>
      call(ms, (open, until) => open.sessions.read(until, (using) => task(open, using))),

    /** For reads from which the caller concludes that something is not stored. */
    readBehindBarrier: <T>(task: (open: Open, using: Using) => Promise<T>): Promise<T> =>
      call(callMs.look, (open, until) => open.sessions.readBehindBarrier(until, (using) => task(open, using))),

    transaction: <T>(task: (open: Open, using: Using) => Promise<T>): Promise<T> =>
      call(callMs.write, (open, until) => open.sessions.transaction(until, (using) => task(open, using))),

    async close(): Promise<void> {
      isClosed = true;
      const connected = await connection.peek()?.catch(() => null);
      await connected?.client.close();
    },
  };
}

export type Calls = ReturnType<typeof createCalls>;
