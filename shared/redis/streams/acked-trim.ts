import type { Redis } from 'ioredis';
import type { Keys } from '../keys.ts';

/**
 * Whether the server trims with ACKED as it is documented (Redis 8.2 and later): of what lies below a bound only that
 * goes which every group has settled. Tried on a stream of its own, since a server that knows the word may still do
 * something else. Resolves false where it does not know it; rejects when Redis does not answer.
 */
export async function provesAckedTrim(redis: Redis, keys: Keys): Promise<boolean> {
  const stream = keys.trimTrial;
  const replies = await redis
    .multi()
    .del(stream)
    .xadd(stream, '1-0', 'f', 'v')
    .xadd(stream, '2-0', 'f', 'v')
    .xadd(stream, '3-0', 'f', 'v')
    .xgroup('CREATE', stream, 'one', '0')
    .xgroup('CREATE', stream, 'other', '0')
    .xreadgroup('GROUP', 'one', 'one', 'COUNT', 2, 'STREAMS', stream, '>')
    .xack(stream, 'one', '1-0', '2-0')
    .xreadgroup('GROUP', 'other', 'other', 'COUNT', 2, 'STREAMS', stream, '>')
    .xack(stream, 'other', '1-0')
    .call('XTRIM', stream, 'MINID', '4-0', 'ACKED')
    .xrange(stream, '-', '+')
    .del(stream)
    .exec();
  const left = (replies?.at(-2)?.[1] ?? []) as [string, string[]][];
  return replies?.at(-3)?.[1] === 1 && left.map(([id]) => id).join() === '2-0,3-0';
}
