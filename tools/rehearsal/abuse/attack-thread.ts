import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

export type AttackOrder = { name: string; ws: string; secret: string; seed: number };

/** Runs one attack in a thread of its own, so that it takes no time from the measuring users. */
export async function prepareAttack(order: AttackOrder, signal: AbortSignal) {
  const worker = new Worker(new URL('./attack-worker.ts', import.meta.url), { workerData: order });
  // Rejects if the thread throws.
  await once(worker, 'message', { signal });
  return {
    /** Attacks for `forMs`, and resolves how often the gateway gave each answer. */
    async run(forMs: number): Promise<Record<string, number>> {
      worker.postMessage(forMs);
      const [answers] = (await once(worker, 'message', { signal })) as [Record<string, number>];
      await worker.terminate();
      return answers;
    },
  };
}
