import { createRecent } from '../../shared/redis/conversations/recent.ts';
import { createConversationStates } from '../reads/conversation-states.ts';
import { createConversationViews, type PeerReceipts } from '../reads/conversation-views.ts';
import { createHistoryPages } from '../reads/history-pages.ts';
import { createInboxPages } from '../reads/inbox-pages.ts';
import { createKeepRecent } from '../reads/keep-recent.ts';
import { createReadStates } from '../reads/read-states.ts';
import { createUnreadSummary } from '../reads/unread-summary.ts';
import type { GatewayContext } from './context.ts';
import type { Stores } from './stores.ts';

/** What clients can read, by WebSocket and HTTP alike. */
export function createReads(
  { config, log, metrics, keys }: GatewayContext,
  { redis, history, deployment, memory, conversations, groups, inboxes }: Stores,
  peerReceipts: PeerReceipts,
) {
  const historyPages = createHistoryPages({
    read: conversations.read,
    history,
    retentionMs: config.historyRetentionMs,
    metrics,
    keep: createKeepRecent(createRecent(redis, keys), memory, log),
  });
  const states = createConversationStates(inboxes, conversations, groups, historyPages);
  return {
    history: historyPages,
    views: createConversationViews(states, inboxes, conversations, historyPages, peerReceipts),
    readUnread: createUnreadSummary(states),
    readStates: createReadStates(states),
    inboxPage: createInboxPages(inboxes, groups, deployment.evidence),
  };
}

export type Reads = ReturnType<typeof createReads>;
