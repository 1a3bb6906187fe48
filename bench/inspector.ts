/**
 * Forces a garbage collection in another Node process, through its debugger port, which `--inspect=127.0.0.1:0` opens.
 * The process needs no code for it, and both sides of a comparison bear the same debugger.
 */
import type { Server } from './cluster.ts';

export const inspectorOptions = ['--inspect=127.0.0.1:0'];

export type Inspector = {
  collectGarbage: () => Promise<void>;
  /** Bytes of live objects on the JavaScript heap. */
  heapBytes: () => Promise<number>;
  close: () => void;
};

type Answer = { id?: number; result?: { usedSize?: number }; error?: { message: string } };

const inspectorAddress = (line: string): string | null => /Debugger listening on (ws:\S+)/.exec(line)?.[1] ?? null;

export async function openInspector(server: Server): Promise<Inspector> {
  const socket = new WebSocket(await server.line(inspectorAddress, 5000));
  const waiting = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>();
  let asked = 0;
  const abandon = (): void => {
    for (const { reject } of waiting.values()) reject(new Error('the debugger went away'));
  };
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error('the debugger did not answer'));
  });
  socket.onmessage = ({ data }) => {
    const answer = JSON.parse(String(data)) as Answer;
    if (answer.id === undefined) return;
    const asker = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.error) asker?.reject(new Error(answer.error.message));
    else asker?.resolve(answer);
  };
  socket.onclose = abandon;

  const ask = (method: string): Promise<Answer> =>
    new Promise((resolve, reject) => {
      asked += 1;
      waiting.set(asked, { resolve, reject });
      socket.send(JSON.stringify({ id: asked, method }));
    });

  return {
    collectGarbage: async () => void (await ask('HeapProfiler.collectGarbage')),
    heapBytes: async () => {
      const { result } = await ask('Runtime.getHeapUsage');
      if (result?.usedSize === undefined) throw new Error('the debugger did not tell the heap size');
      return result.usedSize;
    },
    close: () => socket.close(),
  };
}
