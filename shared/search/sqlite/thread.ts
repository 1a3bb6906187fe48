import { Worker } from 'node:worker_threads';
import { monotonicMs } from '../../timing/clocks.ts';
import { retries, retryPauseMs } from '../../timing/retry.ts';
import type { SearchIndex } from '../search-index.ts';

type Method = keyof SearchIndex;

/** What goes to the thread; worker.ts answers each with one reply, in their order. */
export type ThreadCall = { id: number; method: Method; args: unknown[] };
/** Messages from the thread. `ready` comes once, when the file is open. */
export type ThreadReply =
  | { ready: true }
  | { id: number; value: unknown }
  | { id: number; error: { message: string; stack: string | undefined } };

type Pending = { resolve(value: unknown): void; reject(error: unknown): void };

const mostPending = 200;

/**
 * A search index in a thread of its own. One call at a time runs there, the others wait in order, at most 200; above
 * that calls reject. If the thread ends, every pending call rejects and a later call starts another one. After failures
 * nothing is started for a pause.
 */
export function openIndexThread(path: string): SearchIndex {
  const pending = new Map<number, Pending>();
  let current: Promise<Worker> | null = null;
  let failures = 0;
  let notBefore = 0;
  let nextId = 1;
  let closed: Promise<void> | null = null;

  function failed(reason: unknown): void {
    failures += 1;
    notBefore = monotonicMs() + retryPauseMs(retries.searchOpening, failures);
    current = null;
    for (const call of pending.values()) call.reject(reason);
    pending.clear();
  }

  const start = (): Promise<Worker> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: { path } });
      let reason: unknown = new Error('the thread of the search index has stopped');
      worker.on('message', (reply: ThreadReply) => {
        if ('ready' in reply) return resolve(worker);
        failures = 0;
        const call = pending.get(reply.id);
        pending.delete(reply.id);
        if ('error' in reply) call?.reject(Object.assign(new Error(reply.error.message), { stack: reply.error.stack }));
        else call?.resolve(reply.value);
      });
      worker.on('error', (error) => (reason = error));
      worker.on('exit', () => {
        reject(reason);
        failed(reason);
      });
    });

  function post(worker: Worker, method: Method, args: unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call: ThreadCall = { id: nextId++, method, args };
      pending.set(call.id, { resolve, reject });
      worker.postMessage(call);
    });
  }

  const call = <M extends Method>(method: M): SearchIndex[M] =>
    // The types of a method's arguments and answer are those of the contract, on both sides of the thread.
    (async (...args: unknown[]) => {
      if (closed !== null) throw new Error('the search index is closed');
      if (pending.size >= mostPending) throw new Error(`more than ${mostPending} calls wait for the search index`);
      if (current === null && monotonicMs() < notBefore) throw new Error('the search index cannot be used now');
      return post(await (current ??= start()), method, args);
    }) as unknown as SearchIndex[M];

  async function stop(): Promise<void> {
    const worker = await current?.catch(() => null);
    if (!worker) return;
    const exited = new Promise((resolve) => worker.once('exit', resolve));
    await post(worker, 'close', []).catch(() => undefined);
    await exited;
  }

  return {
    ask: call('ask'),
    freshness: call('freshness'),
    state: call('state'),
    hold: call('hold'),
    release: call('release'),
    places: call('places'),
    write: call('write'),
    removeBelow: call('removeBelow'),
    forget: call('forget'),
    beginRebuild: call('beginRebuild'),
    endRebuild: call('endRebuild'),
    tidy: call('tidy'),
    close: () => (closed ??= stop()),
  };
}
