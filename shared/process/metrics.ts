import { setTimeout as pause } from 'node:timers/promises';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { isProgramFault } from '../model/errors.ts';

/**
 * Where an exception was contained (faults.ts): a WebSocket, an HTTP upgrade, a request by HTTP or frame, what came by
 * a Redis channel, a timer, a job, a batch of stream entries, what is told when a connection to Redis changes, a gauge.
 */
export type FaultPlace = 'socket' | 'upgrade' | 'request' | 'push' | 'timer' | 'job' | 'batch' | 'redis' | 'gauge';

/** What a gauge is asked for when it is read: a value for each set of labels. */
export type Ask<Label extends string> = () => Promise<{ labels: Record<Label, string | number>; value: number }[]>;

/** How long a gauge waits for its source (ms): some connections never refuse while Redis is away. */
const askMs = 1000;

/** Seconds, from half a millisecond to ten seconds. */
const latencyBuckets = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];

/** Every metric of the project. Only its owner counts it. Names begin with `restante_` and contain the unit. */
export function createMetrics(role: string) {
  const registers = [new Registry()];
  const registry = registers[0]!;
  registry.setDefaultLabels({ role });
  collectDefaultMetrics({ register: registry, prefix: 'restante_' });
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[] = []) =>
    new Counter({ name: `restante_${name}`, help, labelNames, registers });
  const gauge = <Label extends string>(name: string, help: string, labelNames: Label[] = []) =>
    new Gauge({ name: `restante_${name}`, help, labelNames, registers });
  const latency = (name: string, help: string) =>
    new Histogram({ name: `restante_${name}`, help, buckets: latencyBuckets, registers });
  const faults = counter<'where'>('faults_total', 'Exceptions that nobody expected, by what they were contained in.', [
    'where',
  ]);
  const faultOfGauge = (thrown: unknown): [] => {
    if (isProgramFault(thrown)) faults.inc({ where: 'gauge' });
    return [];
  };
  /** A gauge whose owner is asked when it is read. What cannot be had then is left out: a scrape never fails for it. */
  const asked =
    <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    (ask: Ask<Label>): void => {
      new Gauge({
        name: `restante_${name}`,
        help,
        labelNames,
        registers,
        async collect() {
          this.reset();
          const late = pause(askMs, [], { ref: false });
          for (const { labels, value } of await Promise.race([(async () => ask())().catch(faultOfGauge), late]))
            this.set(labels, value);
        },
      });
    };

  return {
    registry,
    faults: faults as Counter<'where'> & { inc(labels: { where: FaultPlace }): void },
    connections: asked('connections', 'Open WebSocket connections.', []),
    clients: asked(
      'clients',
      'Open WebSocket connections by what their clients call themselves: the 20 most frequent, and other.',
      ['client'],
    ),
    queuedBytes: asked('queued_bytes', 'Bytes that wait to be written to sockets.', []),
    bodyBytes: asked('body_bytes', 'Bytes of request bodies that are held until their requests are answered.', []),
    largeGroups: asked('large_groups', 'Large groups that this gateway follows.', []),
    groupLag: asked('group_lag', 'Entries of a partition that a group has not settled.', ['group', 'partition']),
    deadLetters: asked('dead_letters', 'Dead letters that were not replayed, by reason.', ['reason']),
    lostAmendments: asked(
      'amendments_lost',
      'Dead letters of amendments that history does not have: what they recall or edit is read as it was.',
      [],
    ),
    queueJobs: asked('queue_jobs', 'Jobs of a queue by state.', ['queue', 'state']),
    redisBytes: asked('redis_bytes', 'Memory of Redis: used, and the most it may use (0: no limit).', ['what']),
    acceptSeconds: latency('accept_seconds', 'From a send to its acceptance, of every eighth.'),
    deliverSeconds: latency(
      'deliver_seconds',
      'From the acceptance of a message to its being written to sockets of this gateway, of every sixteenth.',
    ),
    durableSeconds: latency(
      'durable_seconds',
      'From the acceptance of a message to its being durable, where asked for.',
    ),
    storedSeconds: latency(
      'stored_seconds',
      'From the acceptance of a message to its being in history, where asked for.',
    ),
    waitingAnswers: asked('waiting_answers', 'Answers to sends that wait for their level.', ['level']),
    levelMissed: counter('level_missed_total', 'Answers that said less than the level that was asked for.', ['level']),
    accepted: counter('accepted_total', 'Messages accepted.'),
    ways: counter(
      'ways_total',
      'Messages accepted, by way: short (into both inboxes in the same step) or long (by the fanout).',
      ['way'],
    ),
    amended: counter('amended_total', 'Amends accepted, or answered with what is in force, by action.', [
      'action',
      'result',
    ]),
    duplicates: counter('duplicates_total', 'Sends answered with their first answer.'),
    idleCollections: counter('idle_collections_total', 'Times that a quiet gateway gave memory back.'),
    refused: counter('refused_total', 'Requests refused, by error code.', ['code']),
    limited: counter(
      'limited_total',
      'Requests and frames refused because a budget of their user was spent, by its name in RATE_LIMITS, or send.',
      ['budget'],
    ),
    pushed: counter('pushed_total', 'Items written to sockets as they came.'),
    pushedAgain: counter('pushed_again_total', 'Items written again because they were not received in time.'),
    receipts: counter(
      'receipts_total',
      'Notes of how far somebody has received or read: moved, same, none (no receipts there), failed or dropped.',
      ['kind', 'result'],
    ),
    hints: counter(
      'hints_total',
      'Frames that tell what can also be asked for, by type and result: ' +
        'sent, dropped (a slow reader, or a failed publish) or coalesced into a later one.',
      ['type', 'result'],
    ),
    presenceFlips: counter('presence_flips_total', 'Users of this gateway that came online or went offline.', ['to']),
    presenceWatches: asked('presence_watches', 'Pairs of a connection and a user that it watches.', []),
    typing: counter(
      'typing_total',
      'Frames typing: passed on, or dropped because they came too often (often), too many came at all (limited), ' +
        'fanout is behind (busy), or the conversation has too many members (many).',
      ['result'],
    ),
    largeReads: counter('large_reads_total', 'Times that the places of a user in its large groups were read.'),
    largeLost: counter(
      'large_lost_total',
      'Messages of large groups whose publish did not come (publish), ' +
        'and times that a device was too slow for some (device): both became gaps.',
      ['why'],
    ),
    connectionsRefused: counter('connections_refused_total', 'Connections refused by a bound: total or address.', [
      'bound',
    ]),
    keyFetches: counter('key_fetches_total', 'Fetches of the keys of the issuer (AUTH_JWKS_URL): ok or failed.', [
      'result',
    ]),
    closed: counter('closed_total', 'Connections closed by the server, by close code.', ['code']),
    settled: counter('settled_total', 'Stream entries settled.', ['group']),
    partitionsOwned: gauge('partitions_owned', 'Partitions that this process owns.', ['group']),
    buried: counter('buried_total', 'Stream entries that became dead letters, by reason.', ['reason']),
    historyPages: counter(
      'history_pages_total',
      'History pages, by where their messages came from: hot (Redis alone) or store.',
      ['tier'],
    ),
    deliveries: counter(
      'deliveries_total',
      'Attempts of delivery jobs: which one it was, or that its device has received, is away, ' +
        'or could not be asked about.',
      ['result'],
    ),
    notifications: counter('notifications_total', 'Notifications, by result.', ['result']),
    surge: gauge('surge', 'How a partition stands: 1 for the state that it is in.', ['partition', 'state']),
    storeCalls: counter('store_calls_total', 'Calls of the archive that wrote blocks, by its pace: calm or packing.', [
      'pace',
    ]),
    storeMessages: counter('store_messages_total', 'Messages written to history, by the pace of the archive.', [
      'pace',
    ]),
    merged: counter('merged_blocks_total', 'Small blocks of history that were merged into others.'),
    baked: counter('baked_total', 'Amendments that were put into stored blocks, in the place of older bodies.'),
    expired: counter('expired_blocks_total', 'Blocks of history that retention removed.'),
    cooled: counter('cooled_blocks_total', 'Blocks of history whose texts were moved into the cold store.'),
    discarded: counter(
      'discarded_objects_total',
      'Objects of the cold store that were removed because no block is left of them.',
    ),
    cleaned: counter('cleaned_inboxes_total', 'Inboxes that were looked at for what has expired.'),
    unloaded: counter(
      'conversations_unloaded_total',
      'Conversations of which only a mark was left in Redis, since history has everything of them.',
    ),
    searchSeconds: latency('search_seconds', 'From the request of a search to its answer.'),
    searchDropped: counter(
      'search_dropped_total',
      'Hits of the search index that history did not confirm: not there for this reader (unseen), or changed.',
      ['why'],
    ),
    searchIndexed: counter('search_indexed_total', 'Messages that were written into the search index.'),
    searchLag: asked('search_lag_seconds', 'How far the search index is known to be behind history.', []),
    searchDocs: asked('search_docs', 'Messages in the search index.', []),
    trimmed: counter('trimmed_total', 'Entries trimmed from message streams.'),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
