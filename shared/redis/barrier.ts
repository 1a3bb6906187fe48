import type { Redis } from 'ioredis';
import type { Durability, Means } from './durability.ts';
import type { Keys } from './keys.ts';

/** Told whether everything answered before is durable now. False says nothing about it. */
export type Passed = (isDurable: boolean) => void;

/**
 * Group commit for durable messages. WAIT and WAITAOF wait for the earlier writes of their own connection and hold up
 * everything behind them, so they have a connection of their own: it writes one key, then waits for that write. One
 * node has one order of writes, so what makes this write durable made everything durable that was answered before it
 * was sent. Whatever is answered meanwhile shares the next barrier; one is in flight at most.
 *
 * _Must hold:_
 *
 * - A barrier is sent after the answers that it stands for were read.
 * - Its connection leads to the run of Redis that gave those answers. Another run may have lost them.
 * - The counts of the reply are compared: if it takes too long, WAIT and WAITAOF answer with less, without an error.
 */
export function createBarrier(
  connection: Redis,
  keys: Pick<Keys, 'barrier'>,
  durability: Durability,
  options: {
    replicas: number;
    /** Longest wait of one barrier in Redis (ms); above 0. */
    mostMs: number;
  },
) {
  let waiting: { run: string; passed: Passed }[] = [];
  let scheduled = false;
  let inFlight = false;

  async function send(means: Means): Promise<boolean> {
    const pipeline = connection.pipeline().set(keys.barrier(0), '1');
    if (means === 'waitaof') pipeline.call('WAITAOF', 1, options.replicas, options.mostMs);
    else pipeline.call('WAIT', options.replicas, options.mostMs);
    const [written, waited] = (await pipeline.exec()) as [[Error | null, unknown], [Error | null, unknown]];
    if (written[0] !== null || waited[0] !== null) return false;
    const [local, replicas] = means === 'waitaof' ? (waited[1] as [number, number]) : [1, waited[1] as number];
    return local >= 1 && replicas >= options.replicas;
  }

  function flush(): void {
    scheduled = false;
    if (inFlight || waiting.length === 0) return;
    const all = waiting;
    waiting = [];
    const { run, means } = durability;
    const canSend = run !== '' && means !== null && means !== 'at-once';
    const batch = all.filter((one) => canSend && one.run === run);
    for (const one of all) if (!canSend || one.run !== run) one.passed(false);
    if (batch.length === 0) return;
    inFlight = true;
    const end = (isDurable: boolean): void => {
      inFlight = false;
      for (const { passed } of batch) passed(isDurable);
      flush();
    };
    send(means).then(end, () => end(false));
  }

  return {
    /** Calls `passed` once, later. `run`: the run of Redis whose answer the caller has read. */
    pass(run: string, passed: Passed): void {
      waiting.push({ run, passed });
      if (scheduled || inFlight) return;
      scheduled = true;
      // The answers of one turn of the event loop share a barrier.
      setImmediate(flush);
    },
  };
}

export type Barrier = ReturnType<typeof createBarrier>;
