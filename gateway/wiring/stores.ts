import { createLargeGroups } from '../../shared/redis/conversations/large-groups.ts';
import { createInboxes, type Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import { readNotifyAfter } from '../../shared/redis/notify-after.ts';
import { createSettings, type Settings } from '../../shared/redis/settings.ts';
import { openStores } from '../../shared/startup/open-stores.ts';
import { createMemoryWatch } from '../limits/memory-watch.ts';
import { createListed } from '../push/seen.ts';
import type { Registry } from '../socket/registry.ts';
import type { GatewayContext } from './context.ts';

/** The stores of every process, and what only a gateway needs of Redis: pushes, large groups, inboxes, its memory. */
export async function openGatewayStores(
  { gateway, config, lifecycle, log, keys }: GatewayContext,
  sessionsOf: Registry['of'],
) {
  const stores = await openStores(config, keys, log, lifecycle, { id: gateway, role: 'web' }, { inThread: true });
  const { connections, redis, loading, conversations, openAgain } = stores;
  const subscriber = connections.subscriber();
  lifecycle.opened('subscriber', () => subscriber.disconnect());
  const groups = createLargeGroups(redis, keys, {
    load: (id) => conversations.read(id).catch(() => null),
    closed: openAgain,
  });
  const inboxes: Inboxes = createInboxes(redis, keys, config, {
    load: (user) => loading.user(inboxes, conversations, user),
    closed: openAgain,
    listed: createListed(sessionsOf, stores.deployment.evidence.ended),
  });
  const settings: Settings = createSettings(
    redis,
    keys,
    { mostUnsettled: config.BACKLOG_MAX_ENTRIES },
    { load: (user) => loading.settings(settings, user), closed: openAgain, seen: stores.deployment.answerFor },
  );
  const memory = createMemoryWatch(redis);
  lifecycle.opened('memory watch', memory.stop);
  const notifyAfter = readNotifyAfter(redis, keys, config.notifyAfterMs);
  lifecycle.opened('notify after', notifyAfter.stop);
  return { ...stores, subscriber, groups, inboxes, settings, memory, notifyAfter };
}

export type Stores = Awaited<ReturnType<typeof openGatewayStores>>;
