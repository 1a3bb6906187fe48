import type { Redis } from 'ioredis';
import { retryLater } from '../../model/errors.ts';
import type { ConversationInfo } from '../../model/model.ts';
import { currentReply, orRetryLater } from '../failures.ts';
import type { Keys } from '../keys.ts';
import { lossJump } from '../loss.ts';
import { run } from '../scripts.ts';
import type { Help } from './asking.ts';
import { encodeSkips, type InstallForm, versionOf } from './install-form.ts';
import { membersInStep, membersWhole } from './members.ts';
import { stagedStayMs, type Staging } from './staging.ts';

/** Maximum times that all members are staged. Staged members disappear only after a long pause, or a loss. */
const mostStagings = 3;

const isOpen = (spans: string): boolean => spans.endsWith('-');

/** Brings conversations back into Redis, those with many members in steps. */
export function createInstalling(redis: Redis, keys: Keys, staging: Staging, { closed, seen }: Omit<Help, 'load'>) {
  function notClosed<Reply extends string | (string | number)[]>(reply: Reply): Reply {
    if (reply !== 'closed' && reply[0] !== 'closed') return reply;
    closed();
    throw retryLater('storage is being opened');
  }

  /** Stages members that Redis holds of another line. Resolves their number, and how many are current. */
  async function stageHeld(id: string, staged: string): Promise<{ added: number; open: number }> {
    const partition = keys.partitionOf(id);
    const used = [keys.partitionSlot(partition), keys.conversation(partition, id), keys.members(partition, id), staged];
    const sum = { added: 0, open: 0 };
    let cursor = '0';
    do {
      const [word, next, added, open] = notClosed(
        await run<[string, string, number, number]>(redis, 'stage-held', used, [stagedStayMs, cursor, membersInStep]),
      );
      if (word === 'present') return sum;
      cursor = next;
      sum.added += added;
      sum.open += open;
    } while (cursor !== '0');
    return sum;
  }

  return {
    /**
     * What came back of a conversation with Redis after a loss, without the members; null: nothing, or only the mark of
     * an unloaded one. The stream came back with it, so the entries that made it are in history or still to be stored.
     */
    async cameBack(id: string): Promise<InstallForm | null> {
      const key = keys.conversation(keys.partitionOf(id), id);
      const fields = redis.hmget(key, 'epoch', 'kind', 'createdAt', 'service', 'users');
      const [line, kind, createdAt, service, users] = await orRetryLater(fields);
      if (!line || line.startsWith('unloaded:')) return null;
      const info: ConversationInfo = {
        id,
        kind: kind as ConversationInfo['kind'],
        name: null,
        createdAt: Number(createdAt),
        service: service === '1',
        users: users ? (users.split(',') as [string, string]) : null,
        historyDays: null,
        version: 0,
      };
      return { info, members: [], skips: [], lastSeq: 0, amendSeq: 0 };
    },

    /**
     * Installs what history knows in Redis (null: nothing, for a direct conversation of `users`). Its numbers continue
     * above everything known, or where they were when it was unloaded. Resolves a mark if Redis has one that differs
     * from history: read history again, then pass the mark as `known`. `wrote`: which users of a direct conversation
     * are known to have written, as in Redis. `epoch`: the one that was known before history was read; throws
     * ReadBeforeLoss if it is over.
     */
    async install(
      epoch: string,
      stored: InstallForm | null,
      id: string,
      users: string,
      known = '',
      wrote = '',
    ): Promise<string | null> {
      const info = stored?.info;
      const members = stored?.members ?? [];
      const two = info?.users ? info.users.join(',') : users;
      const partition = keys.partitionOf(id);
      const used = [
        keys.partitionSlot(partition),
        keys.messages(partition),
        keys.conversation(partition, id),
        keys.members(partition, id),
      ];
      const ask = async (staged: string, count: number, open: number, given: typeof members): Promise<string> =>
        notClosed(
          await run<string>(
            redis,
            'install-conversation',
            [...used, staged],
            [
              id,
              info?.kind ?? 'direct',
              info?.name ?? '',
              info?.createdAt ?? 0,
              info?.service ? '1' : '0',
              two,
              stored === null ? 0 : versionOf(stored),
              stored?.lastSeq ?? 0,
              encodeSkips(stored?.skips ?? []),
              lossJump,
              info?.historyDays ?? '',
              known,
              count,
              open,
              wrote,
              info?.creator ?? '',
              stored?.amendSeq ?? 0,
              encodeSkips(stored?.quiet ?? []),
              epoch,
              ...given.flatMap(({ user, spans }) => [user, spans]),
            ],
          ),
        );

      async function inSteps(staged: string): Promise<string> {
        for (let i = 0; i < mostStagings; i++) {
          await staging.put(id, staged, members, async (put) => notClosed(await put()));
          const { added, open } = await stageHeld(id, staged);
          const reply = await ask(
            staged,
            members.length + added,
            members.filter(({ spans }) => isOpen(spans)).length + open,
            [],
          );
          if (reply !== 'unstaged') return reply;
          // Start over, because a repeated step would count nothing.
          await redis.unlink(staged);
        }
        throw retryLater('storage has lost the members on their way');
      }

      const reply =
        members.length <= membersWhole
          ? await ask(keys.staged(partition, id, '-'), 0, 0, members)
          : await staging.own(id, inSteps);
      currentReply(reply);
      if (reply.startsWith('installed ')) seen(partition, reply.slice('installed '.length));
      return reply.startsWith('mark ') ? reply.slice('mark '.length) : null;
    },
  };
}
