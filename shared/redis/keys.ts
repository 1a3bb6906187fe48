import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';

/**
 * Every Redis key, channel and queue. All keys of one script share a hash tag, so that they share a slot of a cluster;
 * ids of users and conversations never enter a tag.
 *
 * key                                type    written by          holds
 * rst:{p3}:slot                      hash    all                 epoch, generation, complete, since, sent; appended,
 *   settled:<group>
 * rst:{p3}:messages                  stream  all                 the partition's entries (entry.ts), groups `inbox` and
 *   `history`
 * rst:{p3}:conversation:<id>         hash    all                 epoch, seq, prev?, version, kind, name, createdAt,
 *   service, users?, count, skips?, historyDays?, large?, at?, loadedAt?, listed?;
 *                                                                unloaded: epoch ("unloaded:<epoch>:<version>"), seq,
 *                                                                prev?, large?, at?, as a mark
 * rst:{p3}:members:<id>              hash    all                 user -> spans ("0-5,9-"); groups only
 * rst:{p3}:staged:<id>:<token>       hash    gateways            user -> spans, of a large group that somebody is
 *   creating or loading; expires
 * rst:{p3}:listed:<id>               zset    gateways            ids of a large group's members now, in their order,
 *   while somebody pages through them; the empty id as well
 * rst:{p3}:merged:<id>               hash    gateways            user -> how many of its spans were merged into
 *   another: they count as joinings
 * rst:{p3}:recent:<id>               hash    gateways, archive   epoch, low, high, bytes; seq -> text of the newest
 *   archived messages, while somebody reads them
 * rst:{p3}:sent:<part>:<0-31>        hash    gateways            "<sender> <conversation> <clientId>" -> fingerprint,
 *   seq, id; two parts are kept (sent-pool.include.lua)
 * rst:{p3}:lease:<group>             string  fanout, archive     the owner's process id; expires
 * rst:{p3}:trial:<group>             hash    fanout, archive     first, size, failures, open: the unsettled batch that
 *   is being tried (trial.ts)
 * rst:{p3}:surge                      hash    jobs, archive       how the partition stands: state, since, what it was
 *   decided from (surges.ts)
 * rst:{i17}:slot                     hash    all                 epoch, generation, complete; gateway:<id> -> end of
 *   its lease (ms)
 * rst:{i17}:waiting                  zset    fanout, jobs        users who may have to be notified -> when to look at
 *   them (ms)
 * rst:{i17}:told                     zset    jobs                users who were notified -> when to look at them again
 *   (ms)
 * rst:{i17}:inbox:<user>             stream  fanout              <position>-0 -> one field: format [own device] ->
 *   message text
 * rst:{i17}:user:<user>              hash    fanout, gateways    epoch, head, count, routes, expired, loaded, waiting,
 *   notified, larges, loud; c:<conversation> -> state;
 *                                                                q:<conversation> -> seqs that do not count as unread
 * rst:{i17}:gaps:<user>              hash    fanout, gateways    conversation -> gap records
 * rst:{i17}:gaps-by-last:<user>       zset    fanout, gateways    gap record and conversation -> its last position; `*`
 *   when it holds all of them
 * rst:{i17}:gaps-by-first:<user>      zset    fanout, gateways    the same of those that span several positions -> the
 *   first one
 * rst:{i17}:devices:<user>           hash    fanout, gateways    device -> position, last seen (ms)
 * rst:{i17}:revoked:<user>            string  gateways            tokens issued before this second are refused
 * rst:{i17}:revoked-devices:<user>    hash    gateways            device -> tokens for it that were issued before this
 *   second are refused; the newest 100
 * rst:{i17}:budget:<name>:<user>     string  gateways            when this budget of the user is whole again (ms);
 *   expires then
 * rst:{cluster}:deployment           hash    all                 epoch, generation, partitions, inboxShards, formats,
 *   opened; run, compared: the last comparison
 * rst:{cluster}:deployment-lock      string  all                 who compares Redis and history now; expires
 * rst:{cluster}:roster:<group>       zset    fanout, archive     process -> end of its membership (ms)
 * rst:{cluster}:surge-mode            string  gateways            auto, calm or surge: what an operator wants of every
 *   partition
 * rst:{cluster}:compaction            hash    jobs                mergedTo, cooledTo: blocks that end before it (ms)
 *   were looked at for merging, for moving into the cold store; cleanedTo, retainedTo,
 *                                                                unloadedTo, discardedTo: where the walks over inboxes,
 *                                                                over conversations with days of their own, over those
 *                                                                in Redis and over cold objects stand
 * rst:{cluster}:trim-trial             stream  jobs                three entries for a moment: what the server does
 *   with ACKED
 * rst:{cluster}:processes             hash    all                 process -> what it says of itself (JSON)
 * rst:{cluster}:writable              string  all                 written once a second to see that Redis takes writes;
 *   expires
 * rst:{dead}:letters                 hash    all                 id -> dead letter (JSON)
 * rst:{dead}:open, open:<reason>     zset    all                 ids of the dead letters that were not replayed -> when
 *   (ms)
 * rst:{dead}:counts                  hash    all                 reason -> how many are open
 * rst:{canary}:<queue>               string  jobs                how many canary jobs the queue has done
 * rst:push:<gateway>                 channel fanout, gateways    what one gateway has to hand to its sockets
 *   (push-bus.ts)
 * rst:large:<conversation>           channel fanout              the messages of a large group, for every gateway that
 *   has members online
 * rst:{compaction}:…                 BullMQ  jobs                the queue of the trimming jobs
 * rst:{notify}:…                     BullMQ  jobs                the queue of the notifications
 * rst:{dead-letter}:…                BullMQ  gateways, jobs      the queue of replays
 * rst:{delivery}:…                   BullMQ  gateways, jobs      the queue of devices that have not received in time
 */
export function createKeys(prefix: string, partitions: number, inboxShards: number) {
  const ofPartition = (partition: number, rest: string) => `${prefix}:{p${partition}}:${rest}`;
  const ofShard = (shard: number, rest: string) => `${prefix}:{i${shard}}:${rest}`;
  const shardOf = (user: string) => crc32(user) % inboxShards;
  const ofUser = (user: string, kind: string) => ofShard(shardOf(user), `${kind}:${user}`);

  return {
    partitions,
    inboxShards,
    /** The one place that says in which partition a conversation lives. */
    partitionOf: (conversation: string) => crc32(conversation) % partitions,
    /** The one place that says in which shard a user's inbox lives. */
    shardOf,

    /**
     * Users with the same answer may meet in one script call. On one Redis all may; on a cluster only those of one
     * shard could, since a script's keys must share a slot.
     */
    groupOf: (_user: string): number => 0,

    partitionSlot: (partition: number) => ofPartition(partition, 'slot'),
    /** What the partition's keys begin with, for scripts that derive the keys of many conversations. */
    partitionBase: (partition: number) => ofPartition(partition, ''),
    messages: (partition: number) => ofPartition(partition, 'messages'),
    /** A pattern of every conversation, and the id of one of them. */
    everyConversation: `${prefix}:{p*}:conversation:*`,
    idOf: (conversation: string): string => conversation.slice(conversation.lastIndexOf(':') + 1),
    conversation: (partition: number, id: string) => ofPartition(partition, `conversation:${id}`),
    members: (partition: number, id: string) => ofPartition(partition, `members:${id}`),
    staged: (partition: number, id: string, token: string) => ofPartition(partition, `staged:${id}:${token}`),
    listed: (partition: number, id: string) => ofPartition(partition, `listed:${id}`),
    merged: (partition: number, id: string) => ofPartition(partition, `merged:${id}`),
    recent: (partition: number, id: string) => ofPartition(partition, `recent:${id}`),
    trial: (partition: number, group: string) => ofPartition(partition, `trial:${group}`),
    surge: (partition: number) => ofPartition(partition, 'surge'),
    lease: (partition: number, group: string) => ofPartition(partition, `lease:${group}`),

    /** What the keys of a user's shard begin with, for scripts that derive them. */
    shardBase: (user: string) => ofShard(shardOf(user), ''),
    shardSlot: (shard: number) => ofShard(shard, 'slot'),
    waiting: (shard: number) => ofShard(shard, 'waiting'),
    told: (shard: number) => ofShard(shard, 'told'),
    inbox: (user: string) => ofUser(user, 'inbox'),
    /** A pattern of every inbox, and whose one of them is: ids hold no colon. */
    everyInbox: `${prefix}:{i*}:inbox:*`,
    userOf: (inbox: string): string => inbox.slice(inbox.lastIndexOf(':') + 1),
    user: (user: string) => ofUser(user, 'user'),
    gaps: (user: string) => ofUser(user, 'gaps'),
    /** The gap records and their two indexes, as scripts take them. */
    gapsAndIndex: (user: string) => [ofUser(user, 'gaps'), ofUser(user, 'gaps-by-last'), ofUser(user, 'gaps-by-first')],
    devices: (user: string) => ofUser(user, 'devices'),
    revoked: (user: string) => ofUser(user, 'revoked'),
    budget: (user: string, name: string) => ofUser(user, `budget:${name}`),
    revokedDevices: (user: string) => ofUser(user, 'revoked-devices'),

    deployment: `${prefix}:{cluster}:deployment`,
    deploymentLock: `${prefix}:{cluster}:deployment-lock`,
    surgeMode: `${prefix}:{cluster}:surge-mode`,
    compaction: `${prefix}:{cluster}:compaction`,
    trimTrial: `${prefix}:{cluster}:trim-trial`,
    /** A pattern of everything. */
    every: `${prefix}:*`,
    processes: `${prefix}:{cluster}:processes`,
    writable: `${prefix}:{cluster}:writable`,
    roster: (group: string) => `${prefix}:{cluster}:roster:${group}`,
    /** What the channels of gateways begin with, for the script that publishes. */
    pushBase: `${prefix}:push:`,
    push: (gateway: string) => `${prefix}:push:${gateway}`,
    large: (conversation: string) => `${prefix}:large:${conversation}`,
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

/** The id of the direct conversation of two users: a function of the two, the same from both sides. */
export function directConversation(one: string, other: string): string {
  return `d_${hash('sha256', sortedPair(one, other).join('\n'), 'base64url')}`;
}

export const isDirect = (conversation: string): boolean => conversation.startsWith('d_');

export const sortedPair = (one: string, other: string): [string, string] => (one < other ? [one, other] : [other, one]);
