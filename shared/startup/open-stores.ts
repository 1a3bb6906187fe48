import { openHistory } from '../history/open.ts';
import type { Config } from '../process/config.ts';
import type { Lifecycle } from '../process/lifecycle.ts';
import type { Logger } from '../process/log.ts';
import { createDeployment } from '../recovery/deployment.ts';
import { createLoading } from '../recovery/loading.ts';
import { createRefilling } from '../recovery/refilling.ts';
import { createConnections } from '../redis/connection/connect.ts';
import { type Conversations, createConversations } from '../redis/conversations/conversations.ts';
import type { Keys } from '../redis/keys.ts';
import { keepScriptsLoaded } from '../redis/scripts.ts';
import { createSentPool } from '../redis/streams/sent-pool.ts';

type HistoryOptions = Parameters<typeof openHistory>[1];

/**
 * Opens what every process needs: Redis, history, the deployment that compares the two, and the conversations in Redis,
 * which are loaded from history where Redis has lost or unloaded them. Nothing is waited for: an absent store is
 * connected later. `process`: its id and role, as it reports itself. `openAgain`: for a slot that turns out to be
 * closed. All of it is closed with the process.
 */
export async function openStores(
  config: Config,
  keys: Keys,
  log: Logger,
  lifecycle: Lifecycle,
  process: { id: string; role: string },
  historyOptions: Omit<NonNullable<HistoryOptions>, 'coldUrl'>,
) {
  const history = await openHistory(config.historyUrl, { ...historyOptions, coldUrl: config.COLD_URL });
  const connections = createConnections(config.REDIS_URL, log);
  const redis = keepScriptsLoaded(connections.commands());
  lifecycle.opened('redis', () => redis.disconnect());
  lifecycle.opened('history', () => history.close());

  const { fail } = lifecycle;
  const deployment = createDeployment({ redis, keys, history, process, keepOnly: connections.keepOnly, log, fail });
  lifecycle.opened('deployment', deployment.leave);
  connections.onLeave(deployment.distrust);
  const openAgain = (): void => void deployment.openAgain().catch(fail);
  const refilling = createRefilling(history, createSentPool(redis, keys, config.dedupeMs));
  const loading = createLoading(history, deployment, refilling);
  const conversations: Conversations = createConversations(
    redis,
    keys,
    { mostInInboxes: config.FANOUT_MAX_MEMBERS, mostUnsettled: config.BACKLOG_MAX_ENTRIES },
    { load: (id) => loading.conversation(conversations, id), closed: openAgain, seen: deployment.answerFor },
  );
  return { connections, redis, history, deployment, openAgain, loading, conversations };
}
