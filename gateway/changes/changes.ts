import { Refusal } from '../../shared/model/errors.ts';
import { mostMembers } from '../../shared/model/limits.ts';
import type { ConversationChange } from '../../shared/model/model.ts';
import { type Conversations } from '../../shared/redis/conversations/conversations.ts';
import type { Budgets, Spender } from '../limits/budgets.ts';
import type { WriteGuard } from '../limits/write-guard.ts';

/** The user that is named as the author of a change, and whether it has the rights of a back end. */
type Actor = { user: string; service: boolean };

/**
 * Changes of conversations by clients. Each passes the guard first, then charges the budget of the token's owner
 * (`by`). So a request costs no budget while the guard refuses everything.
 */
export function createChanges(
  conversations: Pick<Conversations, 'create' | 'change' | 'changeMember'>,
  guard: WriteGuard,
  budgets: Pick<Budgets, 'takeShared'>,
  /** Most members of a group that a user creates or adds to. A back end may fill a group up to `mostMembers`. */
  mostByUser: number,
) {
  const mostFor = ({ service }: Spender): number => (service ? mostMembers : Math.min(mostByUser, mostMembers));

  return {
    /** Rejects with `too_large`, with `rate_limited`, and as Conversations.create does. */
    create: guard(async (by: Spender, id: string, members: string[], name: string | null) => {
      const most = mostFor(by);
      if (members.length > most)
        throw new Refusal(
          'too_large',
          `a group has at most ${most} members${most < mostMembers ? ' unless a back end adds more' : ''}`,
        );
      await budgets.takeShared('create', by);
      return conversations.create(id, members, name, by.service, by.service ? undefined : by.user);
    }),

    change: guard(async (by: Spender, id: string, actor: Actor, what: ConversationChange) => {
      await budgets.takeShared('change', by);
      return conversations.change(id, actor, what);
    }),

    /** Leaving is never refused for a budget: everybody must be able to leave a group that others abuse. */
    changeMember: guard(
      async (by: Spender, id: string, operation: 'join' | 'leave', actor: Actor, user: string, clientId: string) => {
        if (operation === 'join' || user !== by.user) await budgets.takeShared('member', by);
        return conversations.changeMember(id, operation, actor, user, clientId, mostFor(by));
      },
    ),
  };
}

export type Changes = ReturnType<typeof createChanges>;
