import type { Redis } from 'ioredis';
import type { Keys } from '../keys.ts';
import { run } from '../scripts.ts';
import { encodeSkips, type InstallForm, versionOf } from './install-form.ts';
import { membersInStep } from './members.ts';

const keysInStep = 500;
/** Maximum members. The next user of a larger conversation would wait too long until history has restored it. */
const mostMembers = 10_000;

/** Finds conversations that nobody uses, and unloads them from Redis. */
export function createIdleConversations(redis: Redis, keys: Keys) {
  /** Whether a members hash equals what history had when read. Reads in steps, so other commands are not held up. */
  async function holdsJust(hash: string, members: InstallForm['members']): Promise<boolean> {
    const missing = new Map(members.map(({ user, spans }) => [user, spans]));
    const seen = new Set<string>();
    let cursor = '0';
    do {
      const [next, part] = await redis.hscan(hash, cursor, 'COUNT', membersInStep);
      for (let i = 0; i < part.length; i += 2) {
        const user = part[i]!;
        if (seen.has(user)) continue;
        if (missing.get(user) !== part[i + 1]) return false;
        missing.delete(user);
        seen.add(user);
      }
      cursor = next;
    } while (cursor !== '0');
    return missing.size === 0;
  }

  return {
    /**
     * One step of a walk over all keys: finds loaded conversations that were neither created nor loaded since a moment.
     */
    async step(cursor: string, since: number): Promise<{ next: string; found: { id: string; seq: number }[] }> {
      const [next, names] = await redis.scan(cursor, 'MATCH', keys.everyConversation, 'COUNT', keysInStep);
      const lines = await Promise.all(
        Array.from({ length: keys.partitions }, (_, partition) => redis.hget(keys.partitionSlot(partition), 'line')),
      );
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
        return of !== null &&
          of === lines[keys.partitionOf(keys.idOf(name))] &&
          Number(replies[2 * i + 1]) <= mostMembers &&
          Math.max(Number(createdAt), Number(loadedAt ?? 0)) < since
          ? [{ id: keys.idOf(name), seq: Number(seq) }]
          : [];
      });
      return { next, found };
    },

    /**
     * Replaces a conversation by a mark. Does so only if Redis has exactly what is stored, and nothing from before the
     * moment is unsettled.
     */
    async unload({ info, members, skips, lastSeq }: Omit<InstallForm, 'amendSeq'>, since: number): Promise<boolean> {
      const { id, kind, name, createdAt, service, users } = info;
      const partition = keys.partitionOf(id);
      if (users === null && !(await holdsJust(keys.members(partition, id), members))) return false;
      const reply = await run<string>(
        redis,
        'unload-conversation',
        [
          keys.partitionSlot(partition),
          keys.messages(partition),
          keys.conversation(partition, id),
          keys.members(partition, id),
          keys.listed(partition, id),
          keys.receipts(partition, id),
        ],
        [
          since,
          kind,
          name ?? '',
          createdAt,
          service ? '1' : '0',
          users?.join(',') ?? '',
          versionOf({ info, members }),
          lastSeq,
          encodeSkips(skips),
          info.historyDays ?? '',
        ],
      );
      return reply === 'unloaded';
    },
  };
}

export type IdleConversations = ReturnType<typeof createIdleConversations>;
