import type { Redis } from 'ioredis';
import type { Keys } from './keys.ts';
import { run } from './scripts.ts';
import { encodeSkips, type StoredConversation, versionOf } from './stored-conversation.ts';

const keysInStep = 500;
/** To compare more members, and to load them again, would hold up Redis for longer than anybody should wait (10,000 take 22 ms). */
const mostMembers = 10_000;

/** Conversations that nobody uses: who may be one of them, and its leaving Redis. */
export function createIdleConversations(redis: Redis, keys: Keys) {
  return {
    /** One step of a walk over all keys: conversations of this epoch that were neither made nor loaded since a moment. */
    async step(cursor: string, epoch: string, since: number): Promise<{ next: string; found: { id: string; seq: number }[] }> {
      const [next, names] = await redis.scan(cursor, 'MATCH', keys.everyConversation, 'COUNT', keysInStep);
      const pipeline = redis.pipeline();
      for (const name of names) {
        const id = keys.idOf(name);
        pipeline.hmget(name, 'epoch', 'seq', 'createdAt', 'loadedAt').hlen(keys.members(keys.partitionOf(id), id));
      }
      const replies = (await pipeline.exec())!.map(([error, value]) => {
        if (error) throw error;
        return value;
      });
      const found = names.flatMap((name, i) => {
        const [of, seq, createdAt, loadedAt] = replies[2 * i] as (string | null)[];
        return of === epoch && Number(replies[2 * i + 1]) <= mostMembers && Math.max(Number(createdAt), Number(loadedAt ?? 0)) < since ? [{ id: keys.idOf(name), seq: Number(seq) }] : [];
      });
      return { next, found };
    },

    /** Leaves a mark of a conversation, if all that Redis has of it is just what is stored, and nothing from before the moment is unsettled. */
    async unload({ info, members, skips, lastSeq }: StoredConversation, since: number): Promise<boolean> {
      const { id, kind, name, createdAt, service, users } = info;
      const partition = keys.partitionOf(id);
      const reply = await run<string>(
        redis, 'unload-conversation',
        [keys.partitionSlot(partition), keys.messages(partition), keys.conversation(partition, id), keys.members(partition, id), keys.listed(partition, id)],
        [
          since, kind, name ?? '', createdAt, service ? '1' : '0', users?.join(',') ?? '', versionOf({ info, members, skips, lastSeq }), lastSeq,
          encodeSkips(skips), info.historyDays ?? '', ...members.flatMap(({ user, spans }) => [user, spans]),
        ],
      );
      return reply === 'unloaded';
    },
  };
}

export type IdleConversations = ReturnType<typeof createIdleConversations>;
