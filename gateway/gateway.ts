import { randomBytes } from 'node:crypto';
import { openHistory } from '../shared/history/open.ts';
import { openQueue, queueNames } from '../shared/jobs/queues.ts';
import { requestReplay } from '../shared/jobs/replay-requests.ts';
import { createTracing } from '../shared/message-trace/message-trace.ts';
import { toRefusal } from '../shared/model/errors.ts';
import { type Config, loadConfig } from '../shared/process/config.ts';
import { createFaults } from '../shared/process/faults.ts';
import { createLifecycle, type Lifecycle } from '../shared/process/lifecycle.ts';
import { createLogger, reason } from '../shared/process/log.ts';
import { createMetrics } from '../shared/process/metrics.ts';
import { createReadiness } from '../shared/process/readiness.ts';
import { traced } from '../shared/process/telemetry.ts';
import { closeCodes } from '../shared/protocol/close-codes.ts';
import { createDeployment } from '../shared/recovery/deployment.ts';
import { createLoading } from '../shared/recovery/loading.ts';
import { earliestMissed } from '../shared/recovery/losses.ts';
import { createRefilling } from '../shared/recovery/refilling.ts';
import { createConnections, whenReady } from '../shared/redis/connection/connect.ts';
import { watchPrimary } from '../shared/redis/connection/primary-watch.ts';
import { type Conversations, createConversations } from '../shared/redis/conversations/conversations.ts';
import { createLargeGroups } from '../shared/redis/conversations/large-groups.ts';
import { createRecent } from '../shared/redis/conversations/recent.ts';
import { createDeadLetters } from '../shared/redis/dead-letters.ts';
import { createInboxes, type Inboxes } from '../shared/redis/inboxes/inboxes.ts';
import { createRevocations } from '../shared/redis/inboxes/revocations.ts';
import { createKeys } from '../shared/redis/keys.ts';
import { createProcesses } from '../shared/redis/processes.ts';
import { closePayload, createFollowing, receivePushes } from '../shared/redis/push-bus.ts';
import { createSharedBudgets } from '../shared/redis/rate-budgets.ts';
import { keepScriptsLoaded } from '../shared/redis/scripts.ts';
import { createMessages } from '../shared/redis/streams/messages.ts';
import { createSentPool } from '../shared/redis/streams/sent-pool.ts';
import { createSurges } from '../shared/redis/streams/surges.ts';
import { reportProcess } from '../shared/startup/process-report.ts';
import { monotonicMs } from '../shared/timing/clocks.ts';
import { openBoard } from './admin/open-queue-board.ts';
import { createOverview } from './admin/overview.ts';
import { adminRoutes } from './admin/routes.ts';
import { createAudit } from './audit-log.ts';
import { createAuthenticate } from './auth/authenticate.ts';
import { createDisconnect, createRemoveDevice } from './auth/disconnect-user.ts';
import { createFetchReport, createKeyServer } from './auth/key-server.ts';
import { createOriginCheck } from './auth/origins.ts';
import { createAdmission } from './auth/revocation.ts';
import { createChanges } from './changes/changes.ts';
import { createRefusals } from './error-log.ts';
import { createDispatch } from './frames/dispatch.ts';
import { createHello } from './frames/hello.ts';
import { createApp } from './http/app.ts';
import { createIdleCollection } from './idle-collection.ts';
import { createBodyBudget } from './limits/body-budget.ts';
import { createBudgets } from './limits/budgets.ts';
import { createAddressOf } from './limits/client-address.ts';
import { createBoundReport, createConnectionBounds } from './limits/connection-bounds.ts';
import { createLookupBudget } from './limits/lookup-budget.ts';
import { createMemoryWatch } from './limits/memory-watch.ts';
import { createWriteGuard } from './limits/write-guard.ts';
import { createHeadWatch } from './push/head-watch.ts';
import { createLargeIndex } from './push/large-groups.ts';
import { createRenewals } from './push/lease.ts';
import { createPushReceiver } from './push/push-receiver.ts';
import { createConversationStates } from './reads/conversation-states.ts';
import { createConversationViews } from './reads/conversation-views.ts';
import { createHistoryPages } from './reads/history-pages.ts';
import { createInboxPages } from './reads/inbox-pages.ts';
import { createMarkRead } from './reads/read-marks.ts';
import { createUnreadSummary } from './reads/unread-summary.ts';
import { createFirstSends } from './sends/dedupe-lookup.ts';
import { createSending } from './sends/sending.ts';
import { createServer } from './server.ts';
import { createAdvances } from './session/received-positions.ts';
import { createDeliveries } from './session/redelivery-jobs.ts';
import type { SessionParts } from './session/session-parts.ts';
import { createUndelivered } from './session/undelivered.ts';
import { createRegistry } from './socket/registry.ts';

/** Puts a gateway together from its parts and starts it. No logic here: wiring only. */
async function assemble(config: Config, lifecycle: Lifecycle, log: ReturnType<typeof createLogger>): Promise<void> {
  const gateway = randomBytes(6).toString('hex');
  const metrics = createMetrics('web');
  const faults = createFaults(metrics, log);
  const keys = createKeys(config.KEY_PREFIX, config.PARTITIONS, config.INBOX_SHARDS);

  const connections = createConnections(config.REDIS_URL, log);
  const redis = keepScriptsLoaded(connections.commands());
  lifecycle.opened('redis', () => redis.disconnect());
  const subscriber = connections.subscriber();
  lifecycle.opened('subscriber', () => subscriber.disconnect());
  const history = openHistory(config.historyUrl, { inThread: true, coldUrl: config.COLD_URL });
  lifecycle.opened('history', () => history.close());
  const deployment = createDeployment(redis, keys, history, log, lifecycle.fail);
  lifecycle.opened('deployment', deployment.stop);
  const closed = () => void deployment.open().catch(lifecycle.fail);

  const loading = createLoading(
    history,
    deployment,
    createRefilling(history, createSentPool(redis, keys, config.dedupeMs)),
  );
  const conversations: Conversations = createConversations(
    redis,
    keys,
    { mostInInboxes: config.FANOUT_MAX_MEMBERS, mostUnsettled: config.BACKLOG_MAX_ENTRIES },
    {
      load: (id) => loading.conversation(conversations, id),
      closed,
    },
  );
  const groups = createLargeGroups(redis, keys, { load: (id) => conversations.read(id).catch(() => null), closed });
  const inboxes: Inboxes = createInboxes(redis, keys, config, { load: (user) => loading.user(inboxes, user), closed });
  const memory = createMemoryWatch(redis);
  lifecycle.opened('memory watch', memory.stop);
  const recent = createRecent(redis, keys);
  const historyPages = createHistoryPages({
    read: conversations.read,
    history,
    retentionMs: config.historyRetentionMs,
    metrics,
    keep: (texts) => {
      if (!memory.isTight)
        void recent
          .fill(texts)
          .catch((thrown: unknown) => log.debug({ event: 'recent_failed', reason: reason(thrown) }));
    },
  });
  const conversationStates = createConversationStates(inboxes, conversations, groups, historyPages);
  const views = createConversationViews(conversationStates, inboxes, conversations, historyPages);
  const markRead = createMarkRead(conversations, inboxes);
  const inboxPage = createInboxPages(inboxes, groups);

  const lookupBudget = createLookupBudget();
  const messages = createMessages(
    redis,
    keys,
    {
      dedupeMs: config.dedupeMs,
      mostUnsettled: config.BACKLOG_MAX_ENTRIES,
      mostInInboxes: config.FANOUT_MAX_MEMBERS,
    },
    {
      load: (send) => loading.conversation(conversations, send.conversation, send.users),
      lookup: createFirstSends({
        read: conversations.read,
        blocksSince: history.blocksSince,
        budget: lookupBudget,
        retentionMs: config.historyRetentionMs,
      }),
      closed,
    },
  );
  const budgets = createBudgets(
    config.RATE_LIMITS,
    config.SEND_RATE_PER_USER,
    createSharedBudgets(redis, keys),
    metrics,
  );
  const budgetSweep = setInterval(
    faults.contained('timer', () => {
      budgets.sweep();
      lookupBudget.sweep();
    }),
    30_000,
  );
  lifecycle.opened('budget sweep', () => clearInterval(budgetSweep));
  lifecycle.opened('idle collection', createIdleCollection(globalThis.gc, faults).stop);
  const guard = createWriteGuard(memory, deployment);
  const send = createSending({ accept: guard(messages.accept) }, budgets, config.MAX_BODY_BYTES, metrics);
  const sending = config.TELEMETRY
    ? traced('restante.send', send, ({ user }, { clientId }) => ({ user, clientId }))
    : send;

  const registry = createRegistry();
  const advances = createAdvances(inboxes, keys, gateway, log, faults, deployment.doubt);
  const heads = createHeadWatch(inboxes, deployment.doubt);
  const large = createLargeIndex(groups, createFollowing(subscriber, keys), registry, metrics, log, faults);
  const renewals = createRenewals(inboxes, keys, gateway, registry, large, log, faults, heads);
  lifecycle.opened('renewals', renewals.stop);
  deployment.onEpochChange(() => {
    for (const connection of [...registry.all]) connection.close(closeCodes.restart, 'the epoch has changed');
  });

  const queues = connections.queue();
  lifecycle.opened('queue connection', () => queues.disconnect());
  const deliveries = openQueue('delivery', queues, keys, config.TELEMETRY);
  const deadLetters = createDeadLetters(redis, keys);
  const session: SessionParts = {
    inboxes,
    advance: advances.advance,
    fellBack: heads.fellBack,
    failed: faults.contained('socket', (one, thrown) => {
      const refusal = toRefusal(thrown);
      if (refusal.code === 'internal') faults.note('socket', thrown);
      log.warn({
        event: 'backlog_failed',
        user: one.user,
        code: refusal.code,
        reason: reason(refusal.cause ?? refusal),
      });
    }),
    pushed: (items) => metrics.pushed.inc(items),
    pushedAgain: (items) => metrics.pushedAgain.inc(items),
    ...createDeliveries(deliveries, log, faults),
    missedLarge: ({ user }) => large.dropped(user),
    undelivered: createUndelivered(deadLetters, log),
    now: monotonicMs,
  };
  const closeElsewhere = (other: string, user: string, id: string, code: number, why: string) =>
    void redis.publish(keys.push(other), closePayload(user, id, code, why)).catch((thrown: unknown) => {
      log.warn({ event: 'close_elsewhere_failed', user, reason: reason(thrown) });
    });
  const keyServer =
    config.AUTH_JWKS_URL === '' ? null : createKeyServer(config.AUTH_JWKS_URL, createFetchReport(metrics, log));
  const authenticate = createAuthenticate(config.AUTH_SECRET, keyServer, {
    audiences: config.AUTH_AUDIENCE,
    issuers: config.AUTH_ISSUER,
    serviceScope: config.AUTH_SERVICE_SCOPE,
  });
  const revocations = createRevocations(redis, keys);
  const admit = createAdmission(authenticate, revocations);
  const addressOf = createAddressOf(config.TRUST_PROXY);
  const bounds = createConnectionBounds({
    most: config.MAX_CONNECTIONS,
    mostUnauthenticated: config.MAX_UNAUTHENTICATED_PER_ADDRESS,
    trustProxy: config.TRUST_PROXY,
    addressOf,
    refused: createBoundReport(metrics, log),
  });
  const hello = createHello({
    authenticate,
    budgets,
    inboxes,
    readUnread: createUnreadSummary(conversationStates),
    registry,
    large,
    bounds,
    session,
    gateway,
    config,
    closeElsewhere,
    lostSince: (epoch) => earliestMissed(deployment.current.losses, epoch),
    followEpoch: deployment.follow,
    flushReceived: advances.flush,
  });
  const noteRefusal = createRefusals(metrics, log);
  const dispatch = createDispatch({
    hello,
    budgets,
    sending,
    inboxes,
    inboxPage,
    history: historyPages,
    markRead,
    advances,
    admit,
    metrics,
    noteRefusal,
    faulted: faults.note,
    closed: (connection) => {
      registry.remove(connection);
      const ended = connection.session;
      if (ended === null) return Promise.resolve();
      if (registry.of(ended.user).length === 0) large.remove(ended.user);
      // What was received is written before the route is given up.
      const written = advances.flush();
      void written
        .then(() => inboxes.detach(ended.user, ended.device, gateway, ended.id))
        .catch((thrown: unknown) => log.debug({ event: 'detach_failed', reason: reason(thrown) }));
      return written;
    },
  });

  const processes = createProcesses(redis, keys);
  const deadLetterQueue = openQueue('dead-letter', queues, keys, config.TELEMETRY);
  const audit = createAudit(log, addressOf);
  const admin = adminRoutes({
    tokens: config.ADMIN_TOKEN,
    redis,
    keys,
    deadLetters,
    noteRefusal,
    audit,
    replay: (id) => requestReplay(deadLetterQueue, deadLetters, id),
    surges: createSurges(redis, keys),
    overview: createOverview(redis, processes, deadLetters),
    board:
      config.ADMIN_TOKEN.length === 0
        ? null
        : await openBoard(
            queueNames.map((name) => openQueue(name, queues, keys)),
            config.ADMIN_WRITE,
          ),
    trace: createTracing({ redis, keys, history, deadLetters, deliveries }),
  });
  const primary = watchPrimary(redis, keys, connections.leave);
  lifecycle.opened('primary watch', primary.stop);
  const { ready, watch } = createReadiness(redis, deployment, lifecycle);
  watch(primary.fitness);
  const bodies = createBodyBudget(config.maxUserBodyBytes);
  const app = createApp(
    {
      authenticate: admit,
      sending,
      changes: createChanges(conversations, guard, budgets, config.MAX_GROUP_MEMBERS_BY_USER),
      budgets,
      bodies,
      inboxes,
      inboxPage,
      history: historyPages,
      views,
      markRead,
      metrics,
      faults,
      noteRefusal,
      audit,
      config,
      disconnect: createDisconnect(revocations, closeElsewhere),
      removeDevice: createRemoveDevice(inboxes, closeElsewhere),
    },
    ready,
    createOriginCheck(config.ALLOWED_ORIGINS, config.TRUST_PROXY),
    admin,
  );
  const notPushed = (thrown: unknown) => log.debug({ event: 'push_again_failed', reason: reason(thrown) });
  const server = createServer({
    app,
    dispatch,
    registry,
    bounds,
    maxFrameBytes: config.maxFrameBytes,
    drainMs: config.DRAIN_MS,
    faults,
  });
  metrics.connections(async () => [{ labels: {}, value: registry.all.size }]);
  metrics.bodyBytes(async () => [{ labels: {}, value: bodies.bytes }]);
  metrics.largeGroups(async () => [{ labels: {}, value: large.size }]);
  metrics.queuedBytes(async () => [
    { labels: {}, value: registry.all.values().reduce((sum, { socket }) => sum + socket.bufferedAmount, 0) },
  ]);

  const reports = reportProcess({
    id: gateway,
    role: 'web',
    metrics,
    processes,
    connections: () => registry.all.size,
    log,
  });
  lifecycle.opened('reports', reports.stop);
  const port = await server.listen(config.HOST, config.PORT);
  log.info({ event: 'listening', host: config.HOST, port });
  lifecycle.opened('server', server.close);
  lifecycle.opened('received positions', advances.flush);
  lifecycle.opened('connections', server.drain);
  await receivePushes(
    subscriber,
    keys,
    gateway,
    createPushReceiver(registry, large, metrics, renewals.renewNow, notPushed),
    (thrown) => faults.note('push', thrown),
  );
  await whenReady(redis);
  await deployment.open();
  log.info({ event: 'started', gateway });
}

export async function startGateway(env: NodeJS.ProcessEnv): Promise<void> {
  const log = createLogger('web');
  const lifecycle = createLifecycle(log);
  try {
    await assemble(loadConfig(env, { auth: true }), lifecycle, log);
  } catch (thrown) {
    lifecycle.fail(thrown);
  }
}
