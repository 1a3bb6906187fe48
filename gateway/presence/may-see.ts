import { Refusal } from '../../shared/model/errors.ts';
import { sortedPair } from '../../shared/model/ids.ts';
import type { Acquaintance } from '../../shared/redis/acquaintance.ts';
import type { Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import type { LeakyBuckets } from '../limits/leaky-buckets.ts';

/** Members of a group above which it says nothing of who knows whom. */
const mostMembersOfGroup = 1000;
/** Newest groups of the asker that are looked at. */
const mostGroups = 200;
/** How long it is remembered that two users know each other, and that they do not (ms). */
const rememberMs = { yes: 60_000, no: 10_000 };
const mostRemembered = 200_000;

/**
 * Who may see whose presence: two users who have both written to each other, or are members of one group of at most
 * 1,000 members. Nobody sees who hides it, and who hides it sees nobody. That is read each time, and never remembered.
 */
export function createMaySee(
  know: Acquaintance,
  inboxes: Pick<Inboxes, 'newestGroups'>,
  lookups: Pick<LeakyBuckets, 'take'>,
  now = monotonicMs,
) {
  const remembered = new Map<string, { may: boolean; until: number }>();
  const groups = new Map<string, { ids: string[]; until: number }>();

  const pairOf = (one: string, other: string): string => sortedPair(one, other).join(' ');

  function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
    map.delete(key);
    if (map.size >= mostRemembered) map.delete(map.keys().next().value!);
    map.set(key, value);
  }

  async function groupsOf(user: string): Promise<string[]> {
    const found = groups.get(user);
    if (found !== undefined && found.until > now()) return found.ids;
    const ids = await know.ofAtMost(await inboxes.newestGroups(user, mostGroups), mostMembersOfGroup);
    remember(groups, user, { ids, until: now() + rememberMs.no });
    return ids;
  }

  async function lookUp(asker: string, users: readonly string[]): Promise<Set<string>> {
    const direct = await know.bothWrote(asker, users);
    const rest = users.filter((user) => !direct.has(user));
    if (rest.length === 0) return direct;
    return direct.union(await know.membersOfAny(await groupsOf(asker), rest));
  }

  return {
    /**
     * Those of `users` that `asker` may see. `asks`: it has asked itself, and looking up costs its budget. Rejects with
     * `rate_limited` or `retry_later`.
     */
    async among(asker: string, users: readonly string[], asks: boolean): Promise<Set<string>> {
      const visible = new Set<string>();
      const unknown: string[] = [];
      for (const user of users) {
        const found = remembered.get(pairOf(asker, user));
        if (user === asker) visible.add(user);
        else if (found === undefined || found.until <= now()) unknown.push(user);
        else if (found.may) visible.add(user);
      }
      const waitMs = asks && unknown.length > 0 ? lookups.take(asker, unknown.length) : 0;
      if (waitMs > 0) throw new Refusal('rate_limited', 'too many users were looked up', { retryAfterMs: waitMs });
      if (unknown.length > 0) {
        const known = await lookUp(asker, unknown);
        for (const user of unknown) {
          const may = known.has(user);
          remember(remembered, pairOf(asker, user), { may, until: now() + (may ? rememberMs.yes : rememberMs.no) });
          if (may) visible.add(user);
        }
      }
      if (visible.size === 0) return visible;
      const hidden = await know.hidden([asker, ...visible]);
      if (!hidden.has(asker)) return visible.difference(hidden);
      return new Set([asker].filter((user) => visible.has(user)));
    },

    sweep(): void {
      const time = now();
      for (const [pair, { until }] of remembered) if (until <= time) remembered.delete(pair);
      for (const [user, { until }] of groups) if (until <= time) groups.delete(user);
    },
  };
}

export type MaySee = ReturnType<typeof createMaySee>;
