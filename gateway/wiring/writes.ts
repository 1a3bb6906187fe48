import { traced } from '../../shared/process/telemetry.ts';
import { createSharedBudgets } from '../../shared/redis/rate-budgets.ts';
import { createMessages } from '../../shared/redis/streams/messages.ts';
import { createChanges } from '../changes/changes.ts';
import { createBudgets } from '../limits/budgets.ts';
import { createLookupBudget } from '../limits/lookup-budget.ts';
import { sweepBudgets } from '../limits/sweep.ts';
import { createWriteGuard } from '../limits/write-guard.ts';
import { createDedupeLookup } from '../sends/dedupe-lookup.ts';
import { createSending } from '../sends/sending.ts';
import type { GatewayContext } from './context.ts';
import type { Stores } from './stores.ts';

/** What clients can write: sends, and changes of conversations. Every write passes the guard and costs a budget. */
export function createWrites(
  { gateway, config, lifecycle, metrics, faults, keys }: GatewayContext,
  { redis, history, deployment, openAgain, loading, conversations, memory }: Stores,
) {
  const lookupBudget = createLookupBudget();
  const messages = createMessages(
    redis,
    keys,
    {
      dedupeMs: config.dedupeMs,
      mostUnsettled: config.BACKLOG_MAX_ENTRIES,
      mostInInboxes: config.FANOUT_MAX_MEMBERS,
      gateway,
    },
    {
      load: (send) => loading.conversation(conversations, send.conversation, send.users),
      lookup: createDedupeLookup({
        read: conversations.read,
        blocksSince: history.blocksSince,
        budget: lookupBudget,
        retentionMs: config.historyRetentionMs,
      }),
      closed: openAgain,
      seen: deployment.answerFor,
    },
  );
  const sharedBudgets = createSharedBudgets(redis, keys);
  const budgets = createBudgets(config.RATE_LIMITS, config.SEND_RATE_PER_USER, sharedBudgets, metrics);
  lifecycle.opened('budget sweep', sweepBudgets(faults, budgets, lookupBudget).stop);

  const guard = createWriteGuard(memory, deployment);
  const send = createSending({ accept: guard(messages.accept) }, budgets, config.MAX_BODY_BYTES, metrics);
  return {
    budgets,
    sending: config.TELEMETRY ? traced('restante.send', send, ({ user }, { clientId }) => ({ user, clientId })) : send,
    changes: createChanges(conversations, guard, budgets, config.MAX_GROUP_MEMBERS_BY_USER),
  };
}

export type Writes = ReturnType<typeof createWrites>;
