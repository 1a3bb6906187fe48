import { blockLimits } from '../block.ts';
import { blockFormats } from '../store.ts';

/** Every statement of the SQLite history by name. Result columns have the names of the fields in store.ts. */

const block = `blocks.conversation, first_seq AS firstSeq, last_seq AS lastSeq, first_at AS firstAt, last_at AS lastAt,
  format, rev, coalesce(texts.texts, packs.pack) AS texts FROM blocks
  LEFT JOIN texts ON format = ${blockFormats.plain} AND texts.id = blocks.text_id
  LEFT JOIN packs ON format = ${blockFormats.packed} AND packs.id = blocks.text_id`;

const hasOwnDays =
  'EXISTS (SELECT 1 FROM conversations AS o WHERE o.id = b.conversation AND o.history_days IS NOT NULL)';

const place = 'conversation = :conversation AND first_seq = :firstSeq AND last_seq = :lastSeq';

/** Blocks may overlap, so the one that begins last need not end last. But no block that ends later begins far below. */
const newestBegin = (conversation: string): string => `(
  SELECT max(first_seq) FROM blocks AS b WHERE b.conversation = ${conversation}) - ${blockLimits.messages}`;

const lastSeq = (conversation: string): string => `max(
  coalesce((SELECT max(last_seq) FROM blocks AS c
    WHERE c.conversation = ${conversation} AND c.first_seq > ${newestBegin(conversation)}), 0),
  coalesce((SELECT max(to_seq) FROM skips AS s WHERE s.conversation = ${conversation}), 0)) AS lastSeq`;

/**
 * Whether a block is not the newest of its conversation: another one ends later, or ends with it and begins earlier, as
 * a merged block does beside its sources. So the newest block is never one that a merge is about to remove.
 */
const followed = `(EXISTS (SELECT 1 FROM blocks AS n
    WHERE n.conversation = b.conversation AND n.first_seq > b.first_seq AND n.last_seq > b.last_seq)
  OR EXISTS (SELECT 1 FROM blocks AS n
    WHERE n.conversation = b.conversation
      AND n.first_seq > b.first_seq - ${blockLimits.messages}
          AND n.first_seq < b.first_seq AND n.last_seq >= b.last_seq)) AS followed`;

/** Blocks that end at `from` or later, and before `before` if it is given, over both parts of the index. */
const ending = (columns: string, from: string, before?: string): string =>
  [0, 1]
    .map(
      (apart) =>
        `SELECT ${columns}, last_at AS lastAt FROM blocks WHERE apart = ${apart} AND last_at >= ${from}` +
        (before === undefined ? '' : ` AND last_at < ${before}`),
    )
    .join(' UNION ALL ');

const newestAmendment = (conversation: string): string =>
  `coalesce((SELECT max(amend_seq) FROM amendments AS a WHERE a.conversation = ${conversation}), 0) AS amendSeq`;

const amendment = 'conversation, seq, amend_seq AS amendSeq, version, action, "by", at, body FROM amendments';

/** An amendment as a line (amendment-lines.ts). */
const amendmentLine = `concat_ws(' ', seq, amend_seq, version, at, action, "by", coalesce(body, ''))`;

const expiring = 'b.conversation, first_seq AS firstSeq, last_seq AS lastSeq, format, text_id AS textId';

const range = (order: 'ASC' | 'DESC'): string => `SELECT ${block}
  WHERE blocks.conversation = :conversation AND first_seq > :fromSeq - ${blockLimits.messages} AND first_seq <= :toSeq
    AND last_seq >= :fromSeq
  ORDER BY first_seq ${order} LIMIT :limit`;

/** The two numbers of a stream id: compared as a pair, they have the order of the ids. */
const asNumbers = (streamId: string): string =>
  `(CAST(${streamId} AS INTEGER), CAST(substr(${streamId}, instr(${streamId}, '-') + 1) AS INTEGER))`;

export const reads = {
  newestBlock: `SELECT ${block}
    WHERE blocks.conversation = :conversation AND first_seq = (
      SELECT n.first_seq FROM blocks AS n
      WHERE n.conversation = :conversation AND n.first_seq > ${newestBegin(':conversation')}
      ORDER BY n.last_seq DESC LIMIT 1)`,
  oldestBlocks: range('ASC'),
  newestBlocks: range('DESC'),
  blocksSince: `SELECT ${block}
    WHERE blocks.conversation = :conversation AND first_seq > :afterSeq - ${blockLimits.messages}
      AND last_seq > :afterSeq AND last_at >= :since
    ORDER BY first_seq LIMIT :limit`,
  /** Ranges of blocks that hold any seq of a range. */
  holding: `SELECT conversation, first_seq AS firstSeq, last_seq AS lastSeq FROM blocks
    WHERE conversation = :conversation AND first_seq > :fromSeq - ${blockLimits.messages}
      AND first_seq <= :toSeq AND last_seq >= :fromSeq
    ORDER BY first_seq`,
  lastSeqOf: `SELECT ${lastSeq(':conversation')}`,
  keptFrom: `SELECT CASE format WHEN ${blockFormats.stub} THEN last_seq + 1 ELSE first_seq END AS seq FROM blocks
    WHERE conversation = :conversation ORDER BY first_seq LIMIT 1`,
  changedSince: `${ending('conversation', ':since')} ORDER BY lastAt LIMIT :limit`,
  warm: `${ending('conversation, first_seq AS firstSeq, last_seq AS lastSeq, format', ':since', ':before')}
    ORDER BY lastAt LIMIT :limit`,
  ranges: `SELECT conversation, first_seq AS firstSeq, last_seq AS lastSeq FROM blocks
    WHERE conversation = :conversation AND first_seq >= :fromSeq ORDER BY first_seq LIMIT :limit`,
  expired: `SELECT ${expiring}, ${hasOwnDays} AS own, ${followed} FROM blocks AS b
    WHERE apart = 0 AND last_at > 0 AND last_at < :before ORDER BY last_at, conversation, first_seq LIMIT :limit`,
  expiredOf: `SELECT ${expiring}, ${followed} FROM blocks AS b WHERE conversation = :conversation
    AND first_seq <= coalesce((SELECT h.first_seq FROM blocks AS h WHERE h.conversation = :conversation
      ORDER BY h.first_seq LIMIT 1 OFFSET :limit - 1), ${Number.MAX_SAFE_INTEGER})
    AND last_at > 0 AND last_at < :before ORDER BY first_seq`,
  daysOf: `SELECT history_days AS historyDays FROM conversations WHERE id = :conversation`,
  ownDays: `SELECT id AS conversation, history_days AS historyDays FROM conversations INDEXED BY conversations_by_days
    WHERE (history_days, id) > (:historyDays, :conversation) AND history_days > 0
    ORDER BY history_days, id LIMIT :limit`,
  placed: `SELECT format, rev, text_id AS textId FROM blocks WHERE ${place}`,
  endingFrom: `${ending('conversation, first_seq AS firstSeq, last_seq AS lastSeq, first_at AS firstAt', ':at')}
    ORDER BY lastAt LIMIT :limit`,
  conversation: `SELECT id, kind, name, created_at AS createdAt, service, user_a AS userA, user_b AS userB, version,
    history_days AS historyDays, creator,
    ${lastSeq(':conversation')}, ${newestAmendment(':conversation')} FROM conversations WHERE id = :conversation`,
  conversationIds: 'SELECT id FROM conversations WHERE id > :after ORDER BY id LIMIT :limit',
  members: `SELECT conversation, user, spans, version FROM members WHERE conversation = :conversation ORDER BY user`,
  skips: `SELECT conversation, from_seq AS fromSeq, to_seq AS toSeq FROM skips WHERE conversation = :conversation
    ORDER BY from_seq`,
  conversationsOf: `SELECT m.conversation, m.user, m.spans, m.version, ${lastSeq('m.conversation')},
    ${newestAmendment('m.conversation')}
    FROM members AS m
    WHERE m.user = :user AND m.conversation > :after ORDER BY m.conversation LIMIT :limit`,
  amendmentLines: `SELECT group_concat(${amendmentLine}, char(10)) AS lines FROM amendments
    WHERE conversation = :conversation AND seq BETWEEN :fromSeq AND :toSeq`,
  amendmentsBy: `SELECT ${amendment} WHERE conversation = :conversation AND amend_seq BETWEEN :fromSeq AND :toSeq
    ORDER BY amend_seq`,
  newestAmendment: `SELECT ${newestAmendment(':conversation')}`,
  toBake: `SELECT ${amendment} WHERE baked = 0 AND at >= :since AND at < :before ORDER BY at LIMIT :limit`,
  settings: `SELECT user, key, value, version FROM settings WHERE user = :user ORDER BY key`,
  progress: `SELECT partition, stream_id AS streamId, complete_at AS completeAt FROM progress ORDER BY partition`,
  deployment: `SELECT epoch, generation, partitions, inbox_shards AS inboxShards, opened, losses, formats
    FROM deployment WHERE id = 1`,
  epoch: 'SELECT epoch FROM deployment WHERE id = 1',
  processes: `SELECT id, role, host, boot_id AS bootId, pid_namespace AS pidNamespace, pid, pid_start AS pidStart,
      formats,
    since FROM processes ORDER BY id`,
  slots: 'SELECT slot, gate, mark FROM slots',
  nextGate: 'SELECT coalesce(max(gate), 0) + 1 AS gate FROM slots',
  nextTextId: `SELECT coalesce(max(id), 0) + 1 AS id FROM texts`,
  nextPackId: `SELECT coalesce(max(id), 0) + 1 AS id FROM packs`,
} as const;

export const writes = {
  progress: `INSERT INTO progress VALUES (:partition, :streamId, :completeAt)
    ON CONFLICT DO UPDATE SET complete_at = max(complete_at, excluded.complete_at),
      stream_id = CASE WHEN ${asNumbers('stream_id')} < ${asNumbers('excluded.stream_id')}
        THEN excluded.stream_id ELSE stream_id END`,
  conversation: `INSERT INTO conversations (id, kind, name, created_at, service, user_a, user_b, version, history_days,
      creator)
    VALUES (:id, :kind, :name, :createdAt, :service, :userA, :userB, :version, :historyDays, :creator)
    ON CONFLICT DO UPDATE SET kind = excluded.kind, name = excluded.name, created_at = excluded.created_at,
      service = excluded.service, user_a = excluded.user_a, user_b = excluded.user_b, version = excluded.version,
      history_days = excluded.history_days, creator = coalesce(excluded.creator, creator)
    WHERE version < excluded.version`,
  member: `INSERT INTO members VALUES (:conversation, :user, :spans, :version)
    ON CONFLICT DO UPDATE SET spans = excluded.spans, version = excluded.version WHERE version < excluded.version`,
  skip: `INSERT INTO skips VALUES (:conversation, :fromSeq, :toSeq)
    ON CONFLICT DO UPDATE SET to_seq = excluded.to_seq WHERE to_seq < excluded.to_seq`,
  amendment: `INSERT INTO amendments (conversation, seq, amend_seq, version, action, "by", at, body)
    VALUES (:conversation, :seq, :amendSeq, :version, :action, :by, :at, :body)
    ON CONFLICT DO UPDATE SET amend_seq = excluded.amend_seq, version = excluded.version, action = excluded.action,
      "by" = excluded."by", at = excluded.at, body = excluded.body, baked = 0
    WHERE amend_seq < excluded.amend_seq`,
  baked: `UPDATE amendments SET baked = 1
    WHERE conversation = :conversation AND seq = :seq AND amend_seq = :amendSeq`,
  dropAmendments: 'DELETE FROM amendments WHERE conversation = :conversation AND seq < :keptFrom',
  setting: `INSERT INTO settings VALUES (:user, :key, :value, :version)
    ON CONFLICT DO UPDATE SET value = excluded.value, version = excluded.version WHERE version < excluded.version`,
  block: `INSERT INTO blocks (conversation, first_seq, last_seq, first_at, last_at, format, rev, text_id)
    VALUES (:conversation, :firstSeq, :lastSeq, :firstAt, :lastAt, :format, :rev, :textId)
    ON CONFLICT DO NOTHING`,
  text: `INSERT INTO texts VALUES (?, ?)`,
  pack: `INSERT INTO packs VALUES (?, ?)`,
  dropBlock: `DELETE FROM blocks WHERE ${place}`,
  dropText: `DELETE FROM texts WHERE id = ?`,
  dropPack: `DELETE FROM packs WHERE id = ?`,
  dropStubs: `DELETE FROM blocks WHERE conversation = :conversation AND first_seq < :lastSeq AND last_seq < :lastSeq
    AND format = ${blockFormats.stub}`,
  setApart: `UPDATE blocks SET apart = 1 WHERE ${place}`,
  together: `UPDATE blocks SET apart = 0 WHERE conversation = :conversation AND apart = 1`,
  stub: `UPDATE blocks SET format = ${blockFormats.stub}, text_id = 0, first_at = 0, last_at = 0 WHERE ${place}`,
  cold: `UPDATE blocks SET format = ${blockFormats.cold}, text_id = 0 WHERE ${place}`,
  rewrite: `UPDATE blocks SET format = :format, text_id = :textId, rev = rev + 1 WHERE ${place}`,
  deployment: `INSERT INTO deployment (id, epoch, generation, partitions, inbox_shards, opened, losses, formats)
    VALUES (1, :epoch, :generation, :partitions, :inboxShards, :opened, :losses, :formats)
    ON CONFLICT DO UPDATE SET epoch = excluded.epoch, generation = excluded.generation,
      partitions = excluded.partitions, inbox_shards = excluded.inbox_shards, opened = excluded.opened,
      losses = excluded.losses, formats = max(formats, excluded.formats)`,
  process: `INSERT OR REPLACE INTO processes (id, role, host, boot_id, pid_namespace, pid, pid_start, formats, since)
    VALUES (:id, :role, :host, :bootId, :pidNamespace, :pid, :pidStart, :formats, :since)`,
  dropProcess: 'DELETE FROM processes WHERE id = ?',
  dropEnlistment: 'DELETE FROM processes WHERE id = :id AND since = :since',
  gate: 'INSERT INTO slots (slot, gate) VALUES (?, ?) ON CONFLICT DO UPDATE SET gate = max(gate, excluded.gate)',
  mark: 'INSERT INTO slots (slot, mark) VALUES (?, ?) ON CONFLICT DO UPDATE SET mark = max(mark, excluded.mark)',
} as const;
