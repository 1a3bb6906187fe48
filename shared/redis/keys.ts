import { crc32 } from 'node:zlib';

/** The beginning of a key in the slot of a partition or of an inbox shard, up to its tag. */
const slotBase = /^[^{]*\{[pi]\d+\}:/;

/**
 * The fence of a script call through a connection to this run of Redis: a key in the slot of `key` that never exists
 * (slot-open.include.lua). Null if `key` is in no slot of a partition or shard.
 */
export function fenceOf(key: string, run: string): string | null {
  const base = slotBase.exec(key);
  return base === null ? null : `${base[0]}fence:${run}`;
}

/**
 * Every Redis key, channel and queue. All keys of one script share a hash tag, so that they share a slot of a cluster.
 * Ids of users and conversations never enter a tag.
 *
 * A script derives further keys only from a base given to it (`partitionBase`, `shardBase`, `pushBase`). The suffixes
 * that Lua spells are compared with this file in test/unit/shared/redis/lua-keys.test.ts.
 *
 * A slot's `epoch` is the deployment's, which clients know. Its `line` is the epoch of the last loss that concerned
 * this slot, and `generation` that loss's number. What has a field `epoch` in a slot (conversations, users, recent)
 * belongs to the slot's line: if it differs, Redis cannot vouch for it.
 *
 * The partition of conversations, `rst:{p3}:`
 *   key                     type     written by         holds
 *   slot                    hash     all                epoch, line, generation, complete, since, sent; appended,
 *                                                       settled:<group>; open: the run of Redis for which it is
 *                                                       open; gate: the number of that opening; mark; trimmed:
 *                                                       the last entry that was trimmed; keptTo: the last entry that
 *                                                       came back after the last loss
 *   messages                stream   all                the partition's entries (entry.ts), groups `inbox` and
 *                                                       `history`
 *   conversation:<id>       hash     all                epoch, seq, prev?, version, kind, name, createdAt, service,
 *                                                       users?, count, skips?, historyDays?, large?, at?, loadedAt?,
 *                                                       listed?, wrote? (wrote.ts), creator?, amendSeq? (the newest
 *                                                       amendment), quiet? (the newest seqs that do not count as
 *                                                       unread, of a large group, and after a loss); once
 *                                                       unloaded, a mark: epoch ("unloaded:<line>:<version>"),
 *                                                       seq, prev?, large?, at?, wrote?, creator?, amendSeq?,
 *                                                       quiet?
 *   members:<id>            hash     all                user -> spans ("0-5,9-"); groups only
 *   merged:<id>             hash     gateways           user -> number of its spans that were merged into another;
 *                                                       they count as joinings
 *   staged:<id>:<token>     hash     gateways           user -> spans, of a large group that is being created or
 *                                                       loaded; expires
 *   listed:<id>             zset     gateways           ids of a large group's members in their order, and the
 *                                                       empty id; while somebody pages through them
 *   notes:<id>              hash     gateways           epoch; `a <seq>` -> state of an amended message
 *                                                       (amend-message.lua); expires
 *   recent:<id>             hash     gateways, archive  epoch, low, high, bytes; seq -> text of the newest
 *                                                       archived messages, while somebody reads them
 *   sent:<part>:<0-31>      hash     gateways           "<sender> <conversation> <clientId>" -> fingerprint, seq,
 *                                                       id; two parts are kept (sent-pool.include.lua)
 *   receipts:<id>           hash     gateways           epoch; r:<user> -> received and read seq, s:<user> ->
 *                                                       last seq that the user sent; of direct conversations it
 *                                                       stays beside the mark
 *   settings:<user>         hash     gateways           epoch, version; key -> version, JSON (model/settings.ts);
 *                                                       never unloaded
 *   barrier                 string   gateways           written before WAIT and WAITAOF (barrier.ts)
 *   lease:<group>           string   fanout, archive    process id of the owner; expires
 *   trial:<group>           hash     fanout, archive    first, size, failures, open: the search for a poison entry
 *                                                       in an unsettled batch
 *   surge                   hash     jobs, archive      state, since, and the figures it was decided from
 *                                                       (surges.ts)
 *   fence:<run id>          never exists                the last key of each script call (slot-open.include.lua)
 *
 * The shard of users, `rst:{i17}:`
 *   key                     type     written by         holds
 *   slot                    hash     all                epoch, line, generation, complete, open, gate, mark; loads:
 *                                                       the last loss, for which each user is loaded once;
 *                                                       gateway:<id> -> end of its lease (ms)
 *   waiting                 zset     all                users who may have to be notified -> next look (ms)
 *   told                    zset     jobs               users who were notified -> next look (ms)
 *   inbox:<user>            stream   fanout, gateways   <position>-0 -> one field: format [own device] ->
 *                                                       message text
 *   user:<user>             hash     fanout, gateways   epoch, head, count, routes, expired, loaded, waiting,
 *                                                       notified, larges, loud; c:<conversation> -> state;
 *                                                       q:<conversation> -> seqs that do not count as unread;
 *                                                       s:<conversation> -> the newest message that counts;
 *                                                       k:<conversation> -> what was known before a loss;
 *                                                       sv, pv, ro: version of the user's settings, who may
 *                                                       see it online, and whether its receipts are off
 *                                                       (copy-settings.lua)
 *   amended:<user>          hash     fanout, gateways   <conversation>:<seq> -> what an amendment lays over that
 *                                                       message of the inbox (overlays.include.lua)
 *   gaps:<user>             hash     fanout, gateways   conversation -> gap records
 *   gaps-by-last:<user>     zset     fanout, gateways   gap record and conversation -> its last position; `*` once
 *                                                       it holds all of them
 *   gaps-by-first:<user>    zset     fanout, gateways   the same for records that span several positions -> their
 *                                                       first position
 *   devices:<user>          hash     fanout, gateways   device -> position, last seen (ms), words (device.include.lua)
 *   revoked:<user>          string   gateways           tokens issued before this second are refused
 *   revoked-devices:<user>  hash     gateways           device -> its tokens issued before this second are refused;
 *                                                       the newest 100
 *   budget:<name>:<user>    string   gateways           moment at which this budget is whole again (ms); expires
 *                                                       then
 *   fence:<run id>          never exists                as in a partition
 *
 * The deployment, `rst:{cluster}:`
 *   key                     type     written by         holds
 *   deployment              hash     all                epoch, generation, partitions, inboxShards, formats, opened;
 *                                                       run, gate: the run of Redis that is open, and the number of
 *                                                       its opening; opening: the number of one in progress
 *   deployment-lock         string   all                process that opens Redis; expires
 *   reports                 hash     all                process -> what it saw (JSON), during an opening
 *   roster:<group>          zset     fanout, archive    process -> end of its membership (ms)
 *   surge-mode              string   gateways           auto, calm or surge: the operator's choice for every
 *                                                       partition
 *   compaction              hash     jobs               mergedTo, cooledTo: blocks that end before it (ms) were
 *                                                       checked for merging, for moving into the cold store;
 *                                                       bakedTo: amendments made before it (ms) were looked at;
 *                                                       cleanedTo, retainedTo, unloadedTo, discardedTo: progress of
 *                                                       the walks over inboxes, over conversations with days of
 *                                                       their own, over those in Redis, and over cold objects
 *   notify-after            string   jobs               after how many ms users are notified; 0 = never
 *   trim-trial              stream   jobs               three entries for a moment, to test the server's ACKED
 *   processes               hash     all                process -> its report on itself (JSON)
 *   samples                 hash     jobs               place in the hour (0 to 359) -> how the deployment stood
 *                                                       then (JSON, samples.ts); expires
 *   search-notices          stream   archive, jobs,     what followers of history should look at
 *                                    gateways           (search-notices.ts); capped
 *   search-key              string   gateways           secret that signs where a search goes on
 *   writable                string   all                written once a second to test that Redis takes writes;
 *                                                       expires
 *
 * Dead letters, `rst:{dead}:`
 *   key                     type     written by         holds
 *   letters                 hash     all                id -> dead letter (JSON)
 *   open, open:<reason>     zset     all                ids of dead letters that were not replayed -> time (ms)
 *   counts                  hash     all                reason -> number of open dead letters
 *
 * Other keys and channels, `rst:`
 *   key                     type     written by         holds
 *   {canary}:<queue>        string   jobs               number of probe jobs that the queue has done
 *   push:<gateway>          channel  fanout, gateways   what one gateway has to hand to its sockets (push-bus.ts)
 *   search:<process>        channel  gateways           questions to a process of the line search (search-bus.ts)
 *   large:<conversation>    channel  fanout             messages of a large group, for every gateway that has
 *                                                       members online
 *   presence:<shard>        channel  gateways           who of the shard's users came and went, for every gateway that
 *                                                       watches one of them (push-bus.ts)
 *   {compaction}:…          BullMQ   jobs               queue of compaction jobs
 *   {notify}:…              BullMQ   jobs               queue of notifications
 *   {dead-letter}:…         BullMQ   gateways, jobs     queue of replays
 *   {delivery}:…            BullMQ   gateways, jobs     queue of devices that have not received in time
 */
export function createKeys(prefix: string, partitions: number, inboxShards: number) {
  const ofPartition = (partition: number, rest: string) => `${prefix}:{p${partition}}:${rest}`;
  const ofShard = (shard: number, rest: string) => `${prefix}:{i${shard}}:${rest}`;
  const partitionOf = (id: string) => crc32(id) % partitions;
  const shardOf = (user: string) => crc32(user) % inboxShards;
  const ofUser = (user: string, kind: string) => ofShard(shardOf(user), `${kind}:${user}`);

  return {
    partitions,
    inboxShards,
    /** The partition in which a conversation lives, or a user's settings do. Computed here and nowhere else. */
    partitionOf,
    /** The shard in which a user's inbox lives. Computed here and nowhere else. */
    shardOf,

    /**
     * Users in the same group may share a script call. On one Redis all users may. On a cluster only those of one shard
     * could, since a script's keys must share a slot.
     */
    groupOf: (_user: string): number => 0,

    partitionSlot: (partition: number) => ofPartition(partition, 'slot'),
    /** Beginning of the partition's keys, for scripts that derive the keys of many conversations. */
    partitionBase: (partition: number) => ofPartition(partition, ''),
    messages: (partition: number) => ofPartition(partition, 'messages'),
    /** A pattern that matches every conversation; `idOf` is the id in such a key. */
    everyConversation: `${prefix}:{p*}:conversation:*`,
    idOf: (conversation: string): string => conversation.slice(conversation.lastIndexOf(':') + 1),
    conversation: (partition: number, id: string) => ofPartition(partition, `conversation:${id}`),
    members: (partition: number, id: string) => ofPartition(partition, `members:${id}`),
    staged: (partition: number, id: string, token: string) => ofPartition(partition, `staged:${id}:${token}`),
    listed: (partition: number, id: string) => ofPartition(partition, `listed:${id}`),
    merged: (partition: number, id: string) => ofPartition(partition, `merged:${id}`),
    /** One hash of the pool of known clientIds. Only scripts use it, by deriving it from `partitionBase`. */
    sent: (partition: number, part: number, hash: number) => ofPartition(partition, `sent:${part}:${hash}`),
    recent: (partition: number, id: string) => ofPartition(partition, `recent:${id}`),
    notes: (partition: number, id: string) => ofPartition(partition, `notes:${id}`),
    receipts: (partition: number, id: string) => ofPartition(partition, `receipts:${id}`),
    settings: (user: string) => ofPartition(partitionOf(user), `settings:${user}`),
    trial: (partition: number, group: string) => ofPartition(partition, `trial:${group}`),
    barrier: (partition: number) => ofPartition(partition, 'barrier'),
    surge: (partition: number) => ofPartition(partition, 'surge'),
    lease: (partition: number, group: string) => ofPartition(partition, `lease:${group}`),

    /** Beginning of the keys of a user's shard, for scripts that derive them. */
    shardBase: (user: string) => ofShard(shardOf(user), ''),
    shardSlot: (shard: number) => ofShard(shard, 'slot'),
    waiting: (shard: number) => ofShard(shard, 'waiting'),
    told: (shard: number) => ofShard(shard, 'told'),
    inbox: (user: string) => ofUser(user, 'inbox'),
    /** A pattern that matches every inbox; `userOf` is the user in such a key, since ids hold no colon. */
    everyInbox: `${prefix}:{i*}:inbox:*`,
    userOf: (inbox: string): string => inbox.slice(inbox.lastIndexOf(':') + 1),
    /** A pattern that matches every user; `userOf` is the user in such a key. */
    everyUser: `${prefix}:{i*}:user:*`,
    user: (user: string) => ofUser(user, 'user'),
    gaps: (user: string) => ofUser(user, 'gaps'),
    /** The gap records and their two indexes, as scripts take them. */
    gapsAndIndex: (user: string) => [ofUser(user, 'gaps'), ofUser(user, 'gaps-by-last'), ofUser(user, 'gaps-by-first')],
    /** What amendments lay over the messages of the inbox. */
    overlays: (user: string) => ofUser(user, 'amended'),
    devices: (user: string) => ofUser(user, 'devices'),
    revoked: (user: string) => ofUser(user, 'revoked'),
    budget: (user: string, name: string) => ofUser(user, `budget:${name}`),
    revokedDevices: (user: string) => ofUser(user, 'revoked-devices'),

    deployment: `${prefix}:{cluster}:deployment`,
    deploymentLock: `${prefix}:{cluster}:deployment-lock`,
    reports: `${prefix}:{cluster}:reports`,
    surgeMode: `${prefix}:{cluster}:surge-mode`,
    compaction: `${prefix}:{cluster}:compaction`,
    notifyAfter: `${prefix}:{cluster}:notify-after`,
    trimTrial: `${prefix}:{cluster}:trim-trial`,
    /** A pattern that matches every key. */
    every: `${prefix}:*`,
    processes: `${prefix}:{cluster}:processes`,
    samples: `${prefix}:{cluster}:samples`,
    searchNotices: `${prefix}:{cluster}:search-notices`,
    searchKey: `${prefix}:{cluster}:search-key`,
    writable: `${prefix}:{cluster}:writable`,
    roster: (group: string) => `${prefix}:{cluster}:roster:${group}`,
    /** Beginning of the gateways' channels, for the script that publishes. */
    pushBase: `${prefix}:push:`,
    push: (gateway: string) => `${prefix}:push:${gateway}`,
    large: (conversation: string) => `${prefix}:large:${conversation}`,
    search: (process: string) => `${prefix}:search:${process}`,
    presence: (shard: number) => `${prefix}:presence:${shard}`,
    deadLetters: {
      letters: `${prefix}:{dead}:letters`,
      open: `${prefix}:{dead}:open`,
      openOf: (reason: string) => `${prefix}:{dead}:open:${reason}`,
      counts: `${prefix}:{dead}:counts`,
    },
    canary: (queue: string) => `${prefix}:{canary}:${queue}`,
    /** BullMQ's prefix for one queue, with a tag of its own. */
    queuePrefix: (queue: string) => `${prefix}:{${queue}}`,
  };
}

export type Keys = ReturnType<typeof createKeys>;
