import { parentPort, workerData } from 'node:worker_threads';
import { openSqliteStore } from './store.ts';
import type { ThreadCall, ThreadReply } from './thread.ts';

/** The thread's side of sqlite-thread.ts. An error while opening ends the thread, and its starter is told so. */

if (!parentPort) throw new Error('sqlite-worker.ts runs as a thread of sqlite-thread.ts');
const port = parentPort;
const { path } = workerData as { path: string };
const store = openSqliteStore(path);
const reply = (message: ThreadReply): void => port.postMessage(message);

async function answer({ id, method, args }: ThreadCall): Promise<void> {
  try {
    const run = store[method] as (...values: unknown[]) => Promise<unknown>;
    reply({ id, value: await run(...args) });
  } catch (error) {
    const { message, code, stack } = error as NodeJS.ErrnoException;
    reply({ id, error: { message, code, stack } });
  }
  if (method === 'close') port.close();
}

port.on('message', (call: ThreadCall) => void answer(call));
reply({ ready: true });
