import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Cluster, Hello, Welcomed } from './cluster.ts';
import type { Device } from './device.ts';
import type { Frame } from './frames.ts';

const attempts = 50;
/** Pause between two attempts, as in a client: nothing announces that storage is open again (ms). */
const pauseMs = 100;

/**
 * Waits until all partitions are open for this run of Redis: they may open a moment after the shard of a user. A test
 * whose partitions stay shut goes on after five seconds.
 */
async function untilPartitionsOpen({ redis, keys }: Cluster): Promise<void> {
  const slots = Array.from({ length: keys.partitions }, (_, partition) => keys.partitionSlot(partition));
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const isOpen = async (): Promise<boolean> => {
      const run = /run_id:(\w+)/.exec(await redis.info('server'))?.[1];
      const open = await Promise.all(slots.map((slot) => redis.hget(slot, 'open')));
      return open.every((one) => one === run);
    };
    if (await isOpen().catch(() => false)) return;
    await pause(pauseMs);
  }
}

/** Connects, retrying while storage is being opened, and waits until messages are accepted too. */
export async function patiently(cluster: Cluster, user: string, hello: Hello = {}): Promise<Welcomed> {
  for (let attempt = 1; ; attempt++) {
    try {
      const device = await cluster.connect(user, hello);
      await untilPartitionsOpen(cluster);
      return device;
    } catch (thrown) {
      if (attempt === attempts) throw thrown;
      await pause(pauseMs);
    }
  }
}

/**
 * Repeats one send until it is accepted, as a client must while storage is being opened or moved. Each earlier refusal
 * must say that nothing was done. With `unknownOutcome` it must at least say that the send may be repeated.
 */
export async function sendPatiently(
  device: Device,
  clientId: string,
  target: { to: string } | { conversation: string },
  { betweenMs = pauseMs, unknownOutcome = false } = {},
): Promise<Frame<'accepted'>> {
  for (;;) {
    const before = device.frames.length;
    device.send({ type: 'send', clientId, ...target, kind: 'text', body: clientId });
    const answer = await device.until('an answer', () =>
      device.frames
        .slice(before)
        .find((frame) => (frame.type === 'accepted' || frame.type === 'error') && frame.clientId === clientId),
    );
    if (answer.type === 'accepted') return answer;
    const { retryable, code } = answer as unknown as Frame<'error'>;
    expect(retryable).toBe(true);
    expect(unknownOutcome ? ['retry_later', 'unknown_outcome'] : ['retry_later']).toContain(code);
    await pause(betweenMs);
  }
}
