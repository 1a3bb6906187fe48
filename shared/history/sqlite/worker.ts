import { parentPort, workerData } from 'node:worker_threads';
import { openSqliteStore } from './store.ts';
import type { FromThread, ThreadCall, ThreadReply } from './thread.ts';

/** The thread's side of thread.ts. An error while opening ends the thread, and its starter is told so. */

if (!parentPort) throw new Error('worker.ts runs as a thread of thread.ts');
const port = parentPort;
const { path } = workerData as { path: string };
const store = openSqliteStore(path);
const post = (message: FromThread): void => port.postMessage(message);
/** What a page of history asks for at once. No write is among them: it may wait for the file's lock for seconds. */
const pageReads: ReadonlySet<string> = new Set(['blocks', 'amendmentLines']);

async function answer({ id, method, args }: ThreadCall): Promise<ThreadReply> {
  try {
    const run = store[method] as (...values: unknown[]) => Promise<unknown>;
    return { id, value: await run(...args) };
  } catch (error) {
    const { message, code, stack } = error as NodeJS.ErrnoException;
    return { id, error: { message, code, stack } };
  }
}

/** A reply waits for the next one if that is soon there. */
async function answerAll(calls: readonly ThreadCall[]): Promise<void> {
  let replies: ThreadReply[] = [];
  for (const [i, call] of calls.entries()) {
    replies.push(await answer(call));
    const next = calls[i + 1];
    if (next !== undefined && pageReads.has(next.method)) continue;
    post(replies);
    replies = [];
  }
  if (calls.at(-1)?.method === 'close') port.close();
}

port.on('message', (calls: readonly ThreadCall[]) => void answerAll(calls));
post('ready');
