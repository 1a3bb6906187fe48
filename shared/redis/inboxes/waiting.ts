import type { Redis } from 'ioredis';
import { openReply } from '../failures.ts';
import type { Keys } from '../keys.ts';
import { isUnknownScript, loadScripts, queue, run } from '../scripts.ts';

/** `due` with the newest unreceived position; the others say why there is nothing to do (review-waiting.lua). */
export type Review = { word: 'due'; head: number } | { word: 'closed' | 'later' | 'received' | 'notified' };

export type Peek = 'closed' | 'received' | 'superseded' | 'wanted';

/** Maximum users of a shard in one look; the others wait for the next look. */
const mostOfShard = 100;

/** Users who got something that none of their devices has received, as append-inbox.lua notes them. */
export function createWaiting(redis: Redis, keys: Keys, options: { afterMs: number; windowMs: number }) {
  const keysOf = (user: string): string[] => [
    keys.shardSlot(keys.shardOf(user)),
    keys.user(user),
    keys.inbox(user),
    keys.gaps(user),
    keys.devices(user),
  ];

  return {
    /** Resolves the users to look at now. Rejects with SlotClosed if any shard is not open. */
    async due(): Promise<string[]> {
      const pipeline = redis.pipeline();
      for (let shard = 0; shard < keys.inboxShards; shard++) {
        queue(
          pipeline,
          'due-waiting',
          [keys.shardSlot(shard), keys.waiting(shard), keys.told(shard)],
          [options.afterMs, options.windowMs, mostOfShard],
        );
      }
      const replies = (await pipeline.exec())!;
      // With the scripts loaded, the next look finds them.
      if (replies.some(([error]) => isUnknownScript(error))) await loadScripts(redis);
      return replies.flatMap(([error, users]) => {
        if (error) throw error;
        return openReply(users as string[]).slice(1);
      });
    },

    async review(user: string): Promise<Review> {
      const [word, head] = await run<[Review['word'], string]>(
        redis,
        'review-waiting',
        [...keysOf(user), keys.waiting(keys.shardOf(user)), keys.told(keys.shardOf(user))],
        [user, options.afterMs, options.windowMs],
      );
      return word === 'due' ? { word, head: Number(head) } : { word };
    },

    /** Call it once the notification is certain to be sent: the user is not notified of the same again. */
    async notified(user: string, head: number): Promise<void> {
      await redis.hset(keys.user(user), 'notified', head);
    },

    async peek(user: string, head: number): Promise<Peek> {
      return (await run<[Peek]>(redis, 'peek-waiting', keysOf(user), [user, head]))[0];
    },
  };
}

export type Waiting = ReturnType<typeof createWaiting>;
