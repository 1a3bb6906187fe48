import type { Redis } from 'ioredis';
import { readOverlay } from '../../shared/redis/inboxes/overlays.ts';
import type { Keys } from '../../shared/redis/keys.ts';

const fieldsInPage = 100;

/** An amendment that an inbox holds, of a message that its user sees. */
export type HeldAmendment = { conversation: string; seq: number; target: number; position: number };

/**
 * What is wrong with the overlays of an inbox: an amendment that does not lie over its message, so that the old body is
 * served; or an overlay whose amendment is gone, which keeps a body for nothing. Bodies are not kept.
 */
export async function wrongOverlays(
  redis: Redis,
  keys: Keys,
  user: string,
  amendments: readonly HeldAmendment[],
): Promise<string[]> {
  const wrong: string[] = [];
  const newest = new Map<string, number>();
  for (const { conversation, seq, target } of amendments)
    newest.set(`${conversation}:${target}`, Math.max(seq, newest.get(`${conversation}:${target}`) ?? 0));
  const positions = new Set(amendments.map(({ position }) => position));
  for (let cursor = '0'; ;) {
    const [next, found] = await redis.hscan(keys.overlays(user), cursor, 'COUNT', fieldsInPage);
    for (let i = 0; i < found.length; i += 2) {
      const { conversation, seq, amendSeq, position } = readOverlay(found[i]!, found[i + 1]!);
      if (amendSeq >= (newest.get(found[i]!) ?? 0)) newest.delete(found[i]!);
      if (position > 0 && !positions.has(position))
        wrong.push(`amendment ${amendSeq} lies over seq ${seq} of ${conversation}, and its entry is gone`);
    }
    cursor = next;
    if (next === '0') break;
  }
  for (const [field, seq] of newest) {
    const [conversation, target] = field.split(':');
    wrong.push(`amendment ${seq} does not lie over seq ${target} of ${conversation}`);
  }
  return wrong;
}
