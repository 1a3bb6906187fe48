import type { Redis } from 'ioredis';
import { retryLater } from '../../model/errors.ts';
import { orRetryLater } from '../failures.ts';
import type { Keys } from '../keys.ts';
import { lossJump } from '../loss.ts';
import { run } from '../scripts.ts';
import type { Asking, Help } from './asking.ts';
import { membersInStep, membersWhole } from './members.ts';
import { inSteps, type Staging } from './staging.ts';

/** `same`: it exists with exactly these members; `different`: with others. */
export type Creation = 'created' | 'same' | 'different';

/** Who creates a group. Of one that a back end creates, only back ends change the members. */
type Creator = { service: boolean; user: string | undefined };

/** Maximum times that all members are staged. Staged members disappear only after a long pause, or a loss. */
const mostStagings = 3;
/** Maximum comparisons of a group that changes during each of them. */
const mostComparisons = 5;
/**
 * Creates groups. Up to some size in one step; above it the members are put aside in steps that hold Redis for about a
 * millisecond, and one more step makes the group of them (checked with an explicit-state model,
 * test/model/creating.ts). So others see all of it or nothing.
 */
export function createCreating(
  redis: Redis,
  keys: Keys,
  limits: { mostInInboxes: number; mostUnsettled: number },
  staging: Staging,
  asked: Asking,
  seen: Help['seen'],
) {
  /**
   * Compares the members of an existing group of this id. Rejects with `retry_later` if they change all the time.
   */
  async function compare(id: string, members: string[]): Promise<'same' | 'different'> {
    const partition = keys.partitionOf(id);
    const used = [keys.partitionSlot(partition), keys.conversation(partition, id), keys.members(partition, id)];
    for (let i = 0; i < mostComparisons; i++) {
      const replies = new Set<string>();
      await inSteps(members, membersInStep, async (part) => {
        if (replies.has('different') || replies.size > 1) return;
        replies.add(await asked(id, () => run<string>(redis, 'compare-members', used, [members.length, ...part])));
      });
      if (replies.has('different')) return 'different';
      if (replies.size === 1) return 'same';
    }
    throw retryLater('a group with this id exists, and its members are changing');
  }

  async function createAtOnce(id: string, members: string[], name: string | null, by: Creator): Promise<Creation> {
    const partition = keys.partitionOf(id);
    const used = [
      keys.partitionSlot(partition),
      keys.messages(partition),
      keys.conversation(partition, id),
      keys.members(partition, id),
    ];
    const reply = await asked(id, (unknown) =>
      run<string>(redis, 'create-conversation', used, [
        id,
        by.service ? '1' : '0',
        name ?? '',
        limits.mostInInboxes,
        unknown ? 'unknown' : '',
        lossJump,
        limits.mostUnsettled,
        JSON.stringify({ name, members, creator: by.user }),
        by.user ?? '',
        ...members,
      ]),
    );
    const [outcome, , streamId] = reply.split(' ');
    if (outcome === 'created') seen(partition, streamId!);
    return outcome as Creation;
  }

  async function createInSteps(
    id: string,
    members: string[],
    name: string | null,
    by: Creator,
    staged: string,
  ): Promise<Creation> {
    const partition = keys.partitionOf(id);
    const used = [
      keys.partitionSlot(partition),
      keys.messages(partition),
      keys.conversation(partition, id),
      keys.members(partition, id),
      staged,
    ];
    const ask = async (from = ''): Promise<string[]> =>
      (
        await asked(id, (unknown) =>
          run<string>(redis, 'create-staged', used, [
            id,
            by.service ? '1' : '0',
            name ?? '',
            limits.mostInInboxes,
            unknown ? 'unknown' : '',
            lossJump,
            limits.mostUnsettled,
            members.length,
            from,
            JSON.stringify({ name, creator: by.user }),
            by.user ?? '',
          ]),
        )
      ).split(' ');
    let [outcome, joined, streamId] = await ask();
    for (let i = 0; outcome === 'unstaged' && i < mostStagings; i++) {
      await staging.put(
        id,
        staged,
        members.map((user) => ({ user, spans: `${joined}-` })),
        (put) => asked(id, put),
      );
      [outcome, joined, streamId] = await ask(joined);
    }
    if (outcome === 'created') {
      seen(partition, streamId!);
      return 'created';
    }
    if (outcome === 'exists') return compare(id, members);
    throw retryLater('storage has lost the members on their way');
  }

  return {
    /**
     * Creates a group of these members, all different. `user`: its creator, if that is no back end. Rejects with
     * `retry_later`; then it may exist all the same, and the same again says so.
     */
    create(id: string, members: string[], name: string | null, service: boolean, user?: string): Promise<Creation> {
      const by = { service, user };
      if (members.length <= membersWhole) return createAtOnce(id, members, name, by);
      return orRetryLater(staging.own(id, (staged) => createInSteps(id, members, name, by, staged)));
    },
  };
}
