import { reason } from '../../shared/process/log.ts';
import { createAcquaintance } from '../../shared/redis/acquaintance.ts';
import type { RoutesOf } from '../../shared/redis/inboxes/routes.ts';
import type { PresenceNews } from '../../shared/redis/presence-news.ts';
import { createPresenceChannels } from '../../shared/redis/push-bus.ts';
import type { Features } from '../features.ts';
import { createLeakyBuckets } from '../limits/leaky-buckets.ts';
import { sweepBudgets } from '../limits/sweep.ts';
import { createChecks } from '../presence/checks.ts';
import { createFlips } from '../presence/flips.ts';
import { createMaySee } from '../presence/may-see.ts';
import { createPresence } from '../presence/presence.ts';
import { createReviews } from '../presence/reviews.ts';
import { createStates } from '../presence/states.ts';
import { createTelling } from '../presence/telling.ts';
import { createWatchedUsers } from '../presence/watched-users.ts';
import { createWatching } from '../presence/watching.ts';
import type { LeasePresence } from '../push/lease.ts';
import type { Connection } from '../socket/connection.ts';
import type { Registry } from '../socket/registry.ts';
import type { GatewayContext } from './context.ts';
import type { Stores } from './stores.ts';

/** Looking up who knows whom, for one user at one gateway. Answers that are remembered cost nothing. */
const lookups = { most: 200, periodMs: 5000 };

/** Who is online: questions about users, and watches of them. */
export function createPresenceParts(
  { config, lifecycle, log, metrics, faults, keys }: GatewayContext,
  { redis, subscriber, conversations, inboxes }: Stores,
  registry: Pick<Registry, 'of'>,
  routesOf: RoutesOf,
  features: Pick<Features, 'serves'>,
) {
  const unfollowFailed = (thrown: unknown) => log.debug({ event: 'presence_unfollow_failed', reason: reason(thrown) });
  const watched = createWatchedUsers(createPresenceChannels(subscriber, keys), keys.shardOf, unfollowFailed);
  const watching = createWatching(watched);
  const telling = createTelling(watched, metrics);
  const states = createStates(watched, routesOf, telling);
  const checks = createChecks(watched, states, config.PRESENCE_OFFLINE_AFTER_MS, log, faults);
  lifecycle.opened('presence checks', checks.stop);

  const acquaintance = createAcquaintance(redis, keys, (id) => conversations.read(id).catch(() => null));
  const buckets = createLeakyBuckets(config.RATE_LIMITS.read === null ? null : lookups);
  const maySee = createMaySee(acquaintance, inboxes, buckets);
  lifecycle.opened('presence sweep', sweepBudgets(faults, maySee, buckets).stop);
  const reviews = createReviews({ watched, watching, maySee, states, checks, telling, log, faults });
  lifecycle.opened('presence reviews', reviews.stop);

  const serves = (): boolean => features.serves('presence');
  const flips = createFlips({
    inboxes,
    shardOf: keys.shardOf,
    serves,
    afterMs: config.PRESENCE_OFFLINE_AFTER_MS,
    metrics,
    log,
  });
  lifecycle.opened('presence flips', flips.stop);

  return {
    questions: createPresence({ maySee, states, watching }),
    flips,
    serves,
    watched,

    /** For renewals: whose gateways are to be looked at. */
    renewals: {
      serves,
      takeLapsed: flips.takeLapsed,
      noteLapsed: flips.noteLapsed,
      shards: watched.shards,
      watches: watched.watches,
      live: checks.live,
    } satisfies LeasePresence,

    heard(news: PresenceNews): void {
      if (news.kind === 'back') checks.back(news.shard);
      else if (news.kind === 'look') reviews.ofUser(news.user);
      else states.heard(news);
    },

    /** A user with devices here has changed its settings. */
    settingsChanged: (user: string): void => registry.of(user).forEach(reviews.ofWatcher),

    resubscribed: checks.all,

    ended(connection: Connection): void {
      watching.end(connection);
      telling.forget(connection);
    },
  };
}

export type PresenceParts = ReturnType<typeof createPresenceParts>;
