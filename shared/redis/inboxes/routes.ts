import type { Redis } from 'ioredis';
import { orRetryLater } from '../failures.ts';
import type { Keys } from '../keys.ts';
import { run } from '../scripts.ts';

/** Maximum users of one call: Redis does nothing else while it runs. */
const mostInCall = 200;

/**
 * Where a user is connected now. `gateways` null: the shard is not open, so nothing is known. `lastSeen` (ms since
 * 1970) null: never seen, as far as is known.
 */
export type Routes = { gateways: string[] | null; lastSeen: number | null };

/**
 * Asks for the live gateways of users, and when they were last seen. Resolves one answer for each user, in their order.
 * Rejects with `retry_later` if Redis does not answer.
 */
export function createRoutesOf(redis: Redis, keys: Keys) {
  async function ask(users: readonly string[]): Promise<Routes[]> {
    const reply = await orRetryLater(
      run<string[]>(
        redis,
        'routes-of',
        users.map((user) => keys.user(user)),
        users.flatMap((user) => [keys.shardBase(user), user]),
      ),
    );
    return users.map((_, i) => {
      const [list, lastSeen] = [reply[2 * i]!, reply[2 * i + 1]!];
      return {
        gateways: list === 'closed' ? null : list === '-' ? [] : list.split(','),
        lastSeen: lastSeen === '' ? null : Number(lastSeen),
      };
    });
  }

  return async (users: readonly string[]): Promise<Routes[]> => {
    // Users of one group may share a call (Keys.groupOf).
    const groups = new Map<number, number[]>();
    users.forEach((user, i) => {
      const group = keys.groupOf(user);
      const found = groups.get(group);
      if (found === undefined) groups.set(group, [i]);
      else found.push(i);
    });
    const answers: Routes[] = [];
    const calls: Promise<void>[] = [];
    for (const places of groups.values()) {
      for (let start = 0; start < places.length; start += mostInCall) {
        const part = places.slice(start, start + mostInCall);
        const asked = ask(part.map((i) => users[i]!));
        calls.push(asked.then((found) => found.forEach((routes, i) => (answers[part[i]!] = routes))));
      }
    }
    await Promise.all(calls);
    return answers;
  };
}

export type RoutesOf = ReturnType<typeof createRoutesOf>;
