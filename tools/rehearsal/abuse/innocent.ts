import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Message } from '../../../shared/model/model.ts';
import { openRaw } from './socket.ts';

export type Experience = {
  sent: number;
  /** Milliseconds from a send to its acceptance. */
  p50: number;
  p99: number;
  most: number;
  /** Sends that were refused or not answered, although this user stays within every limit. */
  refused: number;
  /** How often each refusal code came; `none` if there was no answer. */
  refusedWith: Record<string, number>;
  /** Accepted messages that the reader did not get within 20 s of the end; `disorder`: those that came out of order. */
  missing: number;
  disorder: number;
};

const everyMs = 25;
const arriveWithinMs = 20_000;

const quantile = (sorted: number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

/**
 * Two users who write and read as usual during an attack. Resolves once both are connected. The returned function runs
 * them for `forMs`: one message every 25 ms, whether the last one is answered or not. Without a group they write to
 * each other directly.
 */
export async function connectInnocent(
  cluster: { url: string; token(user: string): Promise<string> },
  group?: string,
): Promise<(forMs: number, signal: AbortSignal) => Promise<Experience>> {
  const [writer, reader] = await Promise.all(
    ['innocent', 'friend'].map(async (user) =>
      openRaw(cluster.url, { type: 'hello', token: await cluster.token(user), device: 'phone', mode: 'lazy' }),
    ),
  );
  if (!writer || !reader) throw new Error('the innocent users cannot connect');
  const arrived = new Set<string>();
  let disorder = 0;
  let lastSeq = 0;
  reader.onFrame((frame) => {
    if (frame.type !== 'deliver') return;
    const items = frame['items'] as { position?: number; message: Message }[];
    for (const { message } of items) {
      if (message.kind !== 'innocent') continue;
      if (message.seq <= lastSeq && !arrived.has(message.id)) disorder += 1;
      lastSeq = Math.max(lastSeq, message.seq);
      arrived.add(message.id);
    }
    const positions = items.flatMap(({ position }) => position ?? []);
    if (positions.length > 0) reader.send({ type: 'received', position: Math.max(...positions) });
  });
  const target = group === undefined ? { to: 'friend' } : { conversation: group };

  return async (forMs, signal) => {
    const times: number[] = [];
    const accepted: string[] = [];
    let refused = 0;
    const refusedWith: Record<string, number> = {};
    const write = async (): Promise<void> => {
      const begin = performance.now();
      const answer = await writer.ask({
        type: 'send',
        clientId: randomUUID(),
        ...target,
        kind: 'innocent',
        body: 'hello',
      });
      times.push(performance.now() - begin);
      if (answer?.type === 'accepted') accepted.push((answer['message'] as { id: string }).id);
      else {
        refused += 1;
        const code = String(answer?.['code'] ?? 'none');
        refusedWith[code] = (refusedWith[code] ?? 0) + 1;
      }
    };
    const writes: Promise<void>[] = [];
    const end = performance.now() + forMs;
    for (let next = performance.now(); next < end && !signal.aborted; next += everyMs) {
      writes.push(write());
      await pause(Math.max(0, next + everyMs - performance.now()));
    }
    await Promise.all(writes);
    for (const late = performance.now() + arriveWithinMs; performance.now() < late; await pause(50)) {
      if (accepted.every((id) => arrived.has(id))) break;
    }
    writer.end();
    reader.end();
    times.sort((one, other) => one - other);
    return {
      sent: times.length,
      p50: quantile(times, 0.5),
      p99: quantile(times, 0.99),
      most: times.at(-1) ?? 0,
      refused,
      refusedWith,
      missing: accepted.filter((id) => !arrived.has(id)).length,
      disorder,
    };
  };
}
