import { LRUCache } from 'lru-cache';
import type { Message } from '../../shared/model/model.ts';

const mostKept = 1000;
/** How long a message is kept (ms). Retention may remove it meanwhile, so it is shown for at most this much longer. */
const keptMs = 10_000;

/**
 * The newest messages of large groups, read once for all members that may see that seq. No inbox stores them, and after
 * a restart of a gateway thousands of members ask for the same one at once.
 */
export function createNewestOfLarge() {
  const kept = new LRUCache<string, Promise<Message | null>>({ max: mostKept, ttl: keptMs });

  /**
   * The caller must be allowed to see everything from `seq`, the newest message that counts, to `lastSeq`. `read` reads
   * the newest message that this member may see. An amendment of it moves `lastSeq`, so it is read again.
   */
  return async (
    conversation: string,
    seq: number,
    read: () => Promise<Message | null>,
    lastSeq = seq,
  ): Promise<Message | null> => {
    const key = `${conversation} ${lastSeq}`;
    const found = kept.get(key);
    if (found !== undefined) {
      const message = await found.catch(() => null);
      // If there is no message at that seq, the newest one below it may differ from member to member.
      return message?.seq === seq ? message : read();
    }
    const own = read();
    kept.set(key, own);
    const forget = (): void => void kept.delete(key);
    own.then((message) => message?.seq === seq || forget(), forget);
    return own;
  };
}
