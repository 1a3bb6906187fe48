import { LRUCache } from 'lru-cache';
import type { Message } from '../../shared/model/model.ts';

const mostKept = 1000;
/** Retention may remove what is kept here: for no longer than this it is shown all the same (ms). */
const keptMs = 10_000;

/**
 * The newest messages of large groups. No inbox holds them, and all members ask for the same one, thousands at once
 * when a gateway was restarted: it is read once for all who see that seq. `read` is what one member reads by itself.
 */
export function createNewestOfLarge() {
  const kept = new LRUCache<string, Promise<Message | null>>({ max: mostKept, ttl: keptMs });

  /** Who asks has to see `seq`. */
  return async (conversation: string, seq: number, read: () => Promise<Message | null>): Promise<Message | null> => {
    const key = `${conversation} ${seq}`;
    const found = kept.get(key);
    if (found !== undefined) {
      const message = await found.catch(() => null);
      // Where that seq holds nothing, the newest one below it may be another for everybody.
      return message?.seq === seq ? message : read();
    }
    const own = read();
    kept.set(key, own);
    const forget = (): void => void kept.delete(key);
    own.then((message) => message?.seq === seq || forget(), forget);
    return own;
  };
}
