import { type Config, loadConfig } from '../shared/process/config.ts';
import { createLifecycle, type Lifecycle } from '../shared/process/lifecycle.ts';
import { createLogger, type Logger, reason } from '../shared/process/log.ts';
import { createReadiness } from '../shared/process/readiness.ts';
import { earliestMissed } from '../shared/recovery/losses.ts';
import { whenReady } from '../shared/redis/connection/connect.ts';
import { watchPrimary } from '../shared/redis/connection/primary-watch.ts';
import { createProcesses } from '../shared/redis/processes.ts';
import { receivePushes } from '../shared/redis/push-bus.ts';
import { reportProcess } from '../shared/startup/process-report.ts';
import { createAuditLog } from './audit-log.ts';
import { createOriginCheck } from './auth/origins.ts';
import { createErrorLog } from './error-log.ts';
import { createFeatures } from './features.ts';
import { createClose } from './frames/close.ts';
import { createDispatch } from './frames/dispatch.ts';
import { createHello } from './frames/hello.ts';
import { createApp } from './http/app.ts';
import { createIdleCollection } from './idle-collection.ts';
import { createBodyBudget } from './limits/body-budget.ts';
import { createAddressOf } from './limits/client-address.ts';
import { createBoundReport, createConnectionBounds } from './limits/connection-bounds.ts';
import { createCloseElsewhere } from './push/close-elsewhere.ts';
import { createPushReceiver } from './push/push-receiver.ts';
import { createServer } from './server.ts';
import { createAdmin } from './wiring/admin.ts';
import { createAuth } from './wiring/auth.ts';
import { createContext } from './wiring/context.ts';
import { registerGauges } from './wiring/gauges.ts';
import { openJobs } from './wiring/jobs.ts';
import { createAnswerLevels } from './wiring/levels.ts';
import { createReadMarks } from './wiring/read-marks.ts';
import { createReads } from './wiring/reads.ts';
import { createReceiptParts } from './wiring/receipts.ts';
import { createSearching } from './wiring/search.ts';
import { createSessionParts, createSessions } from './wiring/sessions.ts';
import { openGatewayStores } from './wiring/stores.ts';
import { createTypingParts } from './wiring/typing.ts';
import { createWrites } from './wiring/writes.ts';

/**
 * Puts a gateway together from its parts and starts it. Wiring only: logic belongs to the parts.
 *
 *   stores ──▶ reads, writes, sessions ──▶ three doors: WebSocket frames, HTTP routes, the admin page ──▶ one server
 *
 * What is opened is closed in reverse order, so the order of the calls matters.
 */
async function assemble(config: Config, lifecycle: Lifecycle, log: Logger): Promise<void> {
  const context = createContext(config, lifecycle, log);
  const { gateway, metrics, faults, keys } = context;
  const noteRefusal = createErrorLog(metrics, log);

  const stores = await openGatewayStores(context, (user) => registry.of(user));
  const { connections, redis, subscriber, deployment, inboxes, notifyAfter } = stores;
  const reads = createReads(context, stores, (conversation, user) => receipts.peer(conversation, user));
  const writes = createWrites(context, stores, reads.history, (user, conversation, seq) =>
    receipts.notes.sent(user, conversation, seq),
  );
  const { levels, durability } = createAnswerLevels(context, stores);
  const features = createFeatures(config, () => levels.given, deployment.formats);
  lifecycle.opened('idle collection', createIdleCollection(globalThis.gc, faults, metrics).stop);

  const sessions = createSessions(context, stores, writes, features);
  const { registry, receivedPositions, large, lease, ownSettings, presence } = sessions;
  const receipts = createReceiptParts(context, stores, sessions, features);
  const markRead = createReadMarks(stores, sessions, receipts, features);
  const typing = createTypingParts(context, stores, sessions);
  const jobs = openJobs(context, stores);
  const closeElsewhere = createCloseElsewhere(redis, keys, log);
  const auth = createAuth(context, stores, closeElsewhere);
  const addressOf = createAddressOf(config.TRUST_PROXY);
  const bounds = createConnectionBounds({
    most: config.MAX_CONNECTIONS,
    mostUnauthenticated: config.MAX_UNAUTHENTICATED_PER_ADDRESS,
    trustProxy: config.TRUST_PROXY,
    addressOf,
    refused: createBoundReport(metrics, log),
  });

  const hello = createHello({
    authenticate: auth.authenticate,
    budgets: writes.budgets,
    inboxes,
    readUnread: reads.readUnread,
    ownSettings,
    registry,
    large,
    bounds,
    levels,
    features,
    flips: presence.flips,
    session: createSessionParts(context, stores, sessions, jobs, receipts.ofSessions),
    gateway,
    config,
    closeElsewhere,
    lostSince: (epoch) => earliestMissed(deployment.current.losses, epoch),
    followEpoch: deployment.follow,
    flushReceived: receivedPositions.flush,
  });
  const dispatch = createDispatch({
    ...reads,
    markRead,
    receiptStates: receipts.states,
    hello,
    budgets: writes.budgets,
    sending: writes.sending,
    amending: writes.amending,
    levels,
    features,
    presence: presence.questions,
    typing,
    inboxes,
    receivedPositions,
    admit: auth.admit,
    metrics,
    noteRefusal,
    faulted: faults.note,
    closed: createClose(
      registry,
      large,
      ownSettings,
      receivedPositions,
      inboxes,
      presence,
      deployment.evidence,
      gateway,
      log,
    ),
  });

  const processes = createProcesses(redis, keys);
  const searching = createSearching(context, stores, reads, processes);
  const audit = createAuditLog(log, addressOf);
  const admin = await createAdmin(context, stores, jobs, processes, searching, audit, noteRefusal);
  const primary = watchPrimary(redis, keys, connections.leave);
  lifecycle.opened('primary watch', primary.stop);
  const { ready, watch } = createReadiness(redis, deployment, lifecycle);
  watch(primary.fitness);
  const bodies = createBodyBudget(config.maxUserBodyBytes);
  const app = createApp(
    {
      ...reads,
      ...writes,
      markRead,
      receiptStates: receipts.states,
      receivedReceipts: receipts.received,
      levels,
      features,
      search: searching.search,
      presence: presence.questions,
      authenticate: auth.admit,
      disconnect: auth.disconnect,
      removeDevice: auth.removeDevice,
      bodies,
      ownSettings,
      inboxes,
      metrics,
      faults,
      noteRefusal,
      audit,
      config,
    },
    ready,
    createOriginCheck(config.ALLOWED_ORIGINS, config.TRUST_PROXY),
    admin,
  );

  const server = createServer({
    app,
    dispatch,
    registry,
    bounds,
    maxFrameBytes: config.maxFrameBytes,
    drainMs: config.DRAIN_MS,
    faults,
  });
  registerGauges(metrics, registry, bodies, large, levels, presence.watched);
  const reports = reportProcess({
    id: gateway,
    role: 'web',
    metrics,
    processes,
    connections: () => registry.all.size,
    presence: () => ({
      users: registry.userCount,
      watched: presence.watched.users,
      watches: presence.watched.size,
    }),
    registration: deployment.registration,
    log,
  });
  lifecycle.opened('reports', reports.stop);
  const port = await server.listen(config.HOST, config.PORT);
  log.info({ event: 'listening', host: config.HOST, port });
  lifecycle.opened('server', server.close);
  lifecycle.opened('received positions', receivedPositions.flush);
  lifecycle.opened('connections', server.drain);
  lifecycle.opened('waiting answers', () => levels.hurry(config.DRAIN_MS / 2));

  const notPushed = (thrown: unknown) => log.debug({ event: 'push_again_failed', reason: reason(thrown) });
  const receiver = createPushReceiver(
    registry,
    large,
    sessions.hintHere,
    sessions.readBySending,
    presence.heard,
    metrics,
    { stored: levels.stored, found: searching.questions.found },
    () => {
      lease.renewNow();
      presence.resubscribed();
    },
    notPushed,
  );
  await receivePushes(subscriber, keys, gateway, receiver, (thrown) => faults.note('push', thrown));
  await whenReady(redis);
  await durability.known;
  await deployment.open();
  await notifyAfter.look();
  log.info({ event: 'started', gateway });
}

/** Starts a gateway with the settings of an environment. Exits the process if that fails. */
export async function startGateway(env: NodeJS.ProcessEnv): Promise<void> {
  const log = createLogger('web');
  const lifecycle = createLifecycle(log);
  try {
    await assemble(loadConfig(env, { auth: true }), lifecycle, log);
  } catch (thrown) {
    lifecycle.fail(thrown);
  }
}
