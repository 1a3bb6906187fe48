import type { Random } from '../../irc/random.ts';
import type { RecordedHttp } from './http.ts';

/**
 * Groups and their changing members. A change is repeated until it has an answer; until then its user is in doubt, and
 * is not changed again.
 */
export type Group = {
  readonly id: string;
  /** The members as far as answers say. A user in doubt is not among them. */
  readonly members: ReadonlySet<string>;
};

export type Groups = {
  readonly all: readonly Group[];
  /** Changes without an answer. */
  readonly open: number;
  join(group: Group, user: string): void;
  leave(group: Group, user: string): void;
};

type Kept = { id: string; byService: boolean; members: Set<string>; doubtful: Set<string>; joins: Map<string, number> };

/** The server refuses more than 500 joins of one user and group. */
const mostJoins = 400;

export type GroupPlan = { id: string; members: string[]; byService: boolean };

/** Creates the groups; rejects if one could not be created by `until` (by `performance.now`). */
export async function createGroups(
  plans: readonly GroupPlan[],
  http: RecordedHttp,
  random: Random,
  lastsUntil: () => number,
): Promise<Groups> {
  const groups = await Promise.all(
    plans.map(async ({ id, members, byService }): Promise<Kept> => {
      const creator = byService ? null : members[0]!;
      const answer = await http.insist(creator, 'POST', '/conversations', { id, members }, lastsUntil());
      if (answer === null || answer.status >= 300)
        throw new Error(`the group ${id} could not be created: ${JSON.stringify(answer)}`);
      return { id, byService, members: new Set(members), doubtful: new Set(), joins: new Map() };
    }),
  );
  let open = 0;

  async function change(group: Kept, user: string, operation: 'join' | 'leave'): Promise<void> {
    group.members.delete(user);
    group.doubtful.add(user);
    open += 1;
    try {
      const others = [...group.members];
      const bySelf = operation === 'leave' && !group.byService && random.chance(0.5);
      const actor = group.byService || others.length === 0 ? null : bySelf ? user : random.pick(others);
      const method = operation === 'join' ? 'PUT' : 'DELETE';
      const answer = await http.insist(
        actor,
        method,
        `/conversations/${group.id}/members/${user}`,
        undefined,
        lastsUntil(),
      );
      // An actor who is no member any more may not change anything: then nothing was changed, or it was before.
      if (answer?.status === 204) {
        group.doubtful.delete(user);
        if (operation === 'join') group.members.add(user);
      }
    } finally {
      open -= 1;
    }
  }

  return {
    all: groups,
    get open() {
      return open;
    },
    join(group, user) {
      const kept = group as Kept;
      const joins = kept.joins.get(user) ?? 0;
      if (kept.members.has(user) || kept.doubtful.has(user) || joins >= mostJoins) return;
      kept.joins.set(user, joins + 1);
      void change(kept, user, 'join');
    },
    leave(group, user) {
      const kept = group as Kept;
      if (!kept.members.has(user) || kept.members.size === 1) return;
      void change(kept, user, 'leave');
    },
  };
}
