import { openHistory } from '../../shared/history/open.ts';
import { createDeployment } from '../../shared/recovery/deployment.ts';
import { createLoading } from '../../shared/recovery/loading.ts';
import { createRefilling } from '../../shared/recovery/refilling.ts';
import { createConnections } from '../../shared/redis/connection/connect.ts';
import { type Conversations, createConversations } from '../../shared/redis/conversations/conversations.ts';
import { createLargeGroups } from '../../shared/redis/conversations/large-groups.ts';
import { createInboxes, type Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import { keepScriptsLoaded } from '../../shared/redis/scripts.ts';
import { createSentPool } from '../../shared/redis/streams/sent-pool.ts';
import { createMemoryWatch } from '../limits/memory-watch.ts';
import type { GatewayContext } from './context.ts';

/**
 * Opens Redis and history, and what is stored in them. What Redis lost is loaded again from history when it is read.
 */
export function openStores({ config, lifecycle, log, keys }: GatewayContext) {
  const connections = createConnections(config.REDIS_URL, log);
  const redis = keepScriptsLoaded(connections.commands());
  lifecycle.opened('redis', () => redis.disconnect());
  const subscriber = connections.subscriber();
  lifecycle.opened('subscriber', () => subscriber.disconnect());
  const history = openHistory(config.historyUrl, { inThread: true, coldUrl: config.COLD_URL });
  lifecycle.opened('history', () => history.close());

  const deployment = createDeployment(redis, keys, history, log, lifecycle.fail);
  lifecycle.opened('deployment', deployment.stop);
  const openAgain = (): void => void deployment.open().catch(lifecycle.fail);
  const refilling = createRefilling(history, createSentPool(redis, keys, config.dedupeMs));
  const loading = createLoading(history, deployment, refilling);

  const conversations: Conversations = createConversations(
    redis,
    keys,
    { mostInInboxes: config.FANOUT_MAX_MEMBERS, mostUnsettled: config.BACKLOG_MAX_ENTRIES },
    { load: (id) => loading.conversation(conversations, id), closed: openAgain },
  );
  const groups = createLargeGroups(redis, keys, {
    load: (id) => conversations.read(id).catch(() => null),
    closed: openAgain,
  });
  const inboxes: Inboxes = createInboxes(redis, keys, config, {
    load: (user) => loading.user(inboxes, user),
    closed: openAgain,
  });

  const memory = createMemoryWatch(redis);
  lifecycle.opened('memory watch', memory.stop);
  return {
    connections,
    redis,
    subscriber,
    history,
    deployment,
    openAgain,
    loading,
    conversations,
    groups,
    inboxes,
    memory,
  };
}

export type Stores = ReturnType<typeof openStores>;
