import { Worker } from 'node:worker_threads';
import { reopening } from '../reopening.ts';
import type { HistoryStore } from '../store.ts';
import { readAmendmentLines } from './amendment-lines.ts';
import type { SqliteStore } from './store.ts';

type Method = keyof SqliteStore;
type Answer<M extends Method> = Awaited<ReturnType<SqliteStore[M]>>;

/** What goes to the thread, the calls of one turn of the event loop together; worker.ts answers each with one reply. */
export type ThreadCall = { id: number; method: Method; args: unknown[] };
/** Messages from the thread. The first says that the file is open. */
export type FromThread = 'ready' | ThreadReply[];
/** Replies come in the order of their calls, several in one message. */
export type ThreadReply =
  | { id: number; value: unknown }
  | { id: number; error: { message: string; code: string | undefined; stack: string | undefined } };

const maxPending = 1000;

/**
 * The SQLite history in a thread of its own, for processes whose event loop must not wait for a disk. One call at a
 * time runs there, the others wait in order, at most 1,000; above that calls reject. If the thread dies, every pending
 * call rejects and a later call starts another one. Waking a thread takes longer than a small read, so the calls of a
 * turn go there together.
 */
export function openSqliteThread(path: string): HistoryStore {
  const pending = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>();
  /** The calls of this turn. */
  let gathered: ThreadCall[] = [];
  let waiting = 0;
  let nextId = 1;
  let closing: Promise<void> | null = null;

  function settle(reply: ThreadReply): void {
    const call = pending.get(reply.id);
    pending.delete(reply.id);
    if ('error' in reply) {
      const { message, code, stack } = reply.error;
      call?.reject(Object.assign(new Error(message), { code, stack }));
    } else call?.resolve(reply.value);
  }

  const start = (): Promise<Worker> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: { path } });
      let reason: unknown = new Error('the history thread has stopped');
      let isReady = false;
      worker.on('message', (message: FromThread) => {
        if (message === 'ready') {
          isReady = true;
          return resolve(worker);
        }
        for (const reply of message) settle(reply);
      });
      worker.on('error', (error) => {
        reason = error;
      });
      worker.on('exit', () => {
        reject(reason);
        if (isReady) thread.lost(reason);
        for (const call of pending.values()) call.reject(reason);
        pending.clear();
      });
    });

  const thread = reopening(start);

  function flush(worker: Worker): void {
    const calls = gathered;
    gathered = [];
    try {
      worker.postMessage(calls);
    } catch (thrown) {
      // One of them cannot be passed to a thread, and none has gone there.
      for (const { id } of calls) {
        pending.get(id)?.reject(thrown);
        pending.delete(id);
      }
    }
  }

  const post = <M extends Method>(worker: Worker, method: M, args: unknown[]): Promise<Answer<M>> =>
    new Promise((resolve, reject) => {
      const id = nextId++;
      pending.set(id, { resolve, reject });
      if (gathered.push({ id, method, args }) === 1) queueMicrotask(() => flush(worker));
    });

  const call = async <M extends Method>(method: M, ...args: Parameters<SqliteStore[M]>): Promise<Answer<M>> => {
    if (closing) throw new Error('the history store is closed');
    if (waiting >= maxPending) throw new Error(`more than ${maxPending} calls wait for the history`);
    waiting += 1;
    try {
      return await post(await thread.get(), method, args);
    } finally {
      waiting -= 1;
    }
  };

  const stop = async (): Promise<void> => {
    const worker = await thread.peek()?.catch(() => null);
    if (!worker) return;
    const stopped = new Promise((resolve) => worker.once('exit', resolve));
    await post(worker, 'close', []);
    await stopped;
  };

  return {
    write: (write) => call('write', write),
    newestBlock: (conversation) => call('newestBlock', conversation),
    blocks: (conversation, fromSeq, toSeq, order, limit) => call('blocks', conversation, fromSeq, toSeq, order, limit),
    blocksSince: (conversation, since, afterSeq, limit) => call('blocksSince', conversation, since, afterSeq, limit),
    keptFrom: (conversation) => call('keptFrom', conversation),
    changedSince: (since, limit) => call('changedSince', since, limit),
    ranges: (conversation, fromSeq, limit) => call('ranges', conversation, fromSeq, limit),
    replaceBlocks: (ranges, merged) => call('replaceBlocks', ranges, merged),
    expireBlocks: (before, limit) => call('expireBlocks', before, limit),
    expireBlocksOf: (conversation, before, limit) => call('expireBlocksOf', conversation, before, limit),
    ownDays: (after, limit) => call('ownDays', after, limit),
    warmBlocks: (since, before, limit) => call('warmBlocks', since, before, limit),
    rewriteBlock: (range, rev, block) => call('rewriteBlock', range, rev, block),
    makeCold: (block) => call('makeCold', block),
    stateOf: (range) => call('stateOf', range),
    amendments: async (conversation, fromSeq, toSeq) =>
      readAmendmentLines(conversation, await call('amendmentLines', conversation, fromSeq, toSeq)),
    amendmentsBy: (conversation, fromSeq, toSeq) => call('amendmentsBy', conversation, fromSeq, toSeq),
    newestAmendment: (conversation) => call('newestAmendment', conversation),
    toBake: (since, before, limit) => call('toBake', since, before, limit),
    markBaked: (marked) => call('markBaked', marked),
    blocksAround: (at, limit) => call('blocksAround', at, limit),
    lastSeqs: (conversations) => call('lastSeqs', conversations),
    conversation: (id) => call('conversation', id),
    conversationIds: (after, limit) => call('conversationIds', after, limit),
    conversationsOf: (user, after, limit) => call('conversationsOf', user, after, limit),
    settings: (user) => call('settings', user),
    progress: () => call('progress'),
    deployment: () => call('deployment'),
    saveDeployment: (expectedEpoch, deployment) => call('saveDeployment', expectedEpoch, deployment),
    enlist: (row) => call('enlist', row),
    enlisted: () => call('enlisted'),
    slots: () => call('slots'),
    beginOpening: (slots) => call('beginOpening', slots),
    dismiss: (ids, marks) => call('dismiss', ids, marks),
    dismissSilent: (enlistments, marks) => call('dismissSilent', enlistments, marks),
    ping: () => call('ping'),
    close: () => (closing ??= stop()),
  };
}
