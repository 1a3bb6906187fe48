import type { ChainableCommander, Redis } from 'ioredis';
import pLimit from 'p-limit';
import { directConversation } from '../model/ids.ts';
import { orRetryLater, storageFailure } from './failures.ts';
import { readState } from './inboxes/user-fields.ts';
import type { Keys } from './keys.ts';

const loadsAtOnce = 8;
/** Conversations that one question may bring back from history. Of the others nothing is known for now. */
const mostLoads = 20;

/**
 * What Redis knows of who knows whom, for presence. Everything is read without one step around it, and may change a
 * moment later. `load` brings a conversation back from history and resolves its members; null: there is none.
 */
export function createAcquaintance(
  redis: Redis,
  keys: Keys,
  load: (conversation: string) => Promise<{ memberCount: number } | null>,
) {
  const limit = pLimit(loadsAtOnce);

  /** The replies to as many commands as `queue` puts into the pipeline. */
  async function read<Reply>(queue: (pipeline: ChainableCommander) => void): Promise<Reply[]> {
    const pipeline = redis.pipeline();
    queue(pipeline);
    if (pipeline.length === 0) return [];
    const replies = (await orRetryLater(pipeline.exec()))!;
    return replies.map(([error, reply]) => {
      if (error) throw storageFailure(error);
      return reply as Reply;
    });
  }

  const keyOf = (conversation: string): string => keys.conversation(keys.partitionOf(conversation), conversation);

  const fieldsOf = (conversations: readonly string[], ...fields: string[]): Promise<(string | null)[][]> =>
    read((pipeline) => {
      for (const id of conversations) pipeline.hmget(keyOf(id), 'epoch', ...fields);
    });

  const loaded = <Result>(ids: readonly string[], then: (id: string) => Promise<Result>): Promise<Result[]> =>
    Promise.all(ids.slice(0, mostLoads).map((id) => limit(() => then(id))));

  return {
    /** Which of `others` have a direct conversation with `user` in which both have written, as far as is known. */
    async bothWrote(user: string, others: readonly string[]): Promise<Set<string>> {
      const found = new Set<string>();
      const absent: string[] = [];
      const ids = others.map((other) => directConversation(user, other));
      const states = await fieldsOf(ids, 'wrote');
      states.forEach(([epoch, wrote], i) => {
        if (wrote === '12') found.add(others[i]!);
        else if (epoch === null) absent.push(others[i]!);
      });
      if (absent.length === 0) return found;
      // Redis holds every conversation until it has lost something.
      const complete = await read<string | null>((pipeline) => {
        for (const other of absent)
          pipeline.hget(keys.partitionSlot(keys.partitionOf(directConversation(user, other))), 'complete');
      });
      const lost = absent.filter((_, i) => complete[i] !== '1');
      await loaded(lost, async (other) => {
        const id = directConversation(user, other);
        if ((await load(id)) === null) return;
        if ((await orRetryLater(redis.hget(keyOf(id), 'wrote'))) === '12') found.add(other);
      });
      return found;
    },

    /** Those of these groups that have at most `most` members now. */
    async ofAtMost(groups: readonly string[], most: number): Promise<string[]> {
      const states = await fieldsOf(groups, 'count');
      const small = new Set<string>();
      const away: string[] = [];
      states.forEach(([, count], i) => {
        if (count === null || count === undefined) away.push(groups[i]!);
        else if (Number(count) <= most) small.add(groups[i]!);
      });
      await loaded(away, async (id) => {
        const members = (await load(id))?.memberCount;
        if (members !== undefined && members <= most) small.add(id);
      });
      return groups.filter((id) => small.has(id));
    },

    /** Which of `users` are members of one of these groups now. */
    async membersOfAny(groups: readonly string[], users: readonly string[]): Promise<Set<string>> {
      if (groups.length === 0) return new Set();
      const states = await read<(string | null)[]>((pipeline) => {
        for (const user of users) pipeline.hmget(keys.user(user), ...groups.map((id) => `c:${id}`));
      });
      const isMember = (state: string | null): boolean => state !== null && readState('', state).member;
      return new Set(users.filter((_, i) => states[i]!.some(isMember)));
    },

    /**
     * Which of these users show their presence to nobody. In a shard that has lost something, so does a user whose
     * settings were not copied there since: they may say so.
     */
    async hidden(users: readonly string[]): Promise<Set<string>> {
      const shards = [...new Set(users.map(keys.shardOf))];
      const found = await read<(string | null)[]>((pipeline) => {
        for (const shard of shards) pipeline.hmget(keys.shardSlot(shard), 'complete', 'line');
        for (const user of users) pipeline.hmget(keys.user(user), 'pv', 'sv', 'epoch');
      });
      const isHidden = (user: string, i: number): boolean => {
        const [complete, line] = found[shards.indexOf(keys.shardOf(user))]!;
        const [presence, version, epoch] = found[shards.length + i]!;
        return presence === 'nobody' || (complete !== '1' && (version === null || epoch !== line));
      };
      return new Set(users.filter(isHidden));
    },
  };
}

export type Acquaintance = ReturnType<typeof createAcquaintance>;
