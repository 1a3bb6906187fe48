import { type Entry, hasText } from '../../shared/model/entry.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { type Publish, storedPayload } from '../../shared/redis/push-bus.ts';

/**
 * Tells gateways which of the messages that they wait for are in history: one payload for each gateway. `ends`: the
 * last stored seq of each conversation before the batch was written.
 *
 * _Must hold:_ only what stands in a block of this batch is named. A message at or below the end was stored before, or
 * another one has its seq, or its seq was skipped, and an entry that was buried is in no batch. For those the gateway
 * asks history itself, as it does if the publish is lost.
 */
export function storedPublishes(
  keys: Pick<Keys, 'push'>,
  partition: number,
  entries: readonly Entry[],
  ends: ReadonlyMap<string, number>,
): Publish[] {
  let byGateway: Map<string, string[]> | null = null;
  for (const entry of entries) {
    if (!hasText(entry) || entry.awaitedBy === '' || entry.seq <= ends.get(entry.conversation)!) continue;
    byGateway ??= new Map();
    const found = byGateway.get(entry.awaitedBy);
    if (found === undefined) byGateway.set(entry.awaitedBy, [entry.streamId]);
    else found.push(entry.streamId);
  }
  if (byGateway === null) return [];
  return [...byGateway].map(([gateway, streamIds]) => ({
    channel: keys.push(gateway),
    payload: storedPayload(partition, streamIds),
  }));
}
