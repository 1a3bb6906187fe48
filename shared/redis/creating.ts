import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import pLimit from 'p-limit';
import { retryLater } from '../errors.ts';
import type { Asking } from './asking.ts';
import { storageFailure } from './failures.ts';
import type { Keys } from './keys.ts';
import { lossJump } from './loss.ts';
import { membersInStep, membersWhole } from './members.ts';
import { run } from './scripts.ts';

/** `same`: it exists with exactly these members; `different`: with others. */
export type Creation = 'created' | 'same' | 'different';

/** What was put aside stays for so long after the last step (ms): the time in which its creator or loader goes on, or has died. */
export const stagedStayMs = 60_000;
/** So often all members are put aside: what was there is gone only after a pause of that length, or a loss. */
const mostStagings = 3;
/** So often a group is compared, if it changes each time while that goes on. */
const mostComparisons = 5;
/** Large groups of which the members are on their way into Redis at once, from one process. */
const largeAtOnce = 2;

/** `list` in steps, one after the other. */
export async function inSteps<T>(list: readonly T[], size: number, step: (part: T[]) => Promise<void>): Promise<void> {
  for (let i = 0; i < list.length; i += size) await step(list.slice(i, i + size));
}

/**
 * Creates groups. Up to some size in one step; above it the members are put aside in steps that hold Redis for about a millisecond, and one more
 * step makes the group of them (checked with an explicit-state model, test/model/creating.ts). So others see all of it or nothing.
 */
export function createCreating(redis: Redis, keys: Keys, limits: { mostInInboxes: number; mostUnsettled: number }, asked: Asking) {
  const limit = pLimit(largeAtOnce);

  /** Whoever comes with the same id: are these its members? Rejects with `retry_later` when they change all the time. */
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

  async function createAtOnce(id: string, members: string[], name: string | null, service: boolean): Promise<Creation> {
    const partition = keys.partitionOf(id);
    const used = [keys.partitionSlot(partition), keys.messages(partition), keys.conversation(partition, id), keys.members(partition, id)];
    const reply = await asked(id, (unknown) =>
      run<string>(redis, 'create-conversation', used, [
        id, service ? '1' : '0', name ?? '', limits.mostInInboxes, unknown ? 'unknown' : '', lossJump, limits.mostUnsettled,
        JSON.stringify({ name, members }), ...members,
      ]),
    );
    return reply.split(' ')[0] as Creation;
  }

  async function createInSteps(id: string, members: string[], name: string | null, service: boolean): Promise<Creation> {
    const partition = keys.partitionOf(id);
    const slot = keys.partitionSlot(partition);
    // Nobody else's: two who create at once may mean different members.
    const staged = keys.staged(partition, id, randomBytes(9).toString('base64url'));
    const used = [slot, keys.messages(partition), keys.conversation(partition, id), keys.members(partition, id), staged];
    const ask = async (from = ''): Promise<string[]> =>
      (await asked(id, (unknown) =>
        run<string>(redis, 'create-staged', used, [
          id, service ? '1' : '0', name ?? '', limits.mostInInboxes, unknown ? 'unknown' : '', lossJump, limits.mostUnsettled,
          members.length, from, JSON.stringify({ name }),
        ]),
      )).split(' ');
    let [outcome, joined] = await ask();
    for (let i = 0; outcome === 'unstaged' && i < mostStagings; i++) {
      await inSteps(members, membersInStep, async (part) => {
        await asked(id, () => run<string>(redis, 'stage-members', [slot, staged], [stagedStayMs, ...part.flatMap((user) => [user, `${joined}-`])]));
      });
      [outcome, joined] = await ask(joined);
    }
    if (outcome === 'created') return 'created';
    if (outcome === 'exists') return compare(id, members);
    throw retryLater('storage has lost the members on their way');
  }

  return {
    /** Creates a group of these members, all different. Rejects with `retry_later`; then it may exist all the same, and the same again says so. */
    async create(id: string, members: string[], name: string | null, service: boolean): Promise<Creation> {
      try {
        return await (members.length <= membersWhole ? createAtOnce(id, members, name, service) : limit(createInSteps, id, members, name, service));
      } catch (thrown) {
        throw storageFailure(thrown);
      }
    },
  };
}
