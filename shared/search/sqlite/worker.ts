import { parentPort, workerData } from 'node:worker_threads';
import { openIndexFile } from './index-file.ts';
import type { ThreadCall, ThreadReply } from './thread.ts';

/** The thread's side of thread.ts. An error while opening ends the thread, and its starter is told so. */

if (!parentPort) throw new Error('worker.ts runs as a thread of thread.ts');
const port = parentPort;
const index = openIndexFile((workerData as { path: string }).path);
const reply = (message: ThreadReply): void => port.postMessage(message);

async function answer({ id, method, args }: ThreadCall): Promise<void> {
  try {
    const run = index[method] as (...values: unknown[]) => Promise<unknown>;
    reply({ id, value: await run(...args) });
  } catch (error) {
    const { message, stack } = error as Error;
    reply({ id, error: { message, stack } });
  }
  if (method === 'close') port.close();
}

port.on('message', (call: ThreadCall) => void answer(call));
reply({ ready: true });
