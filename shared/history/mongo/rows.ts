import type { AnyBulkWriteOperation, Document } from 'mongodb';
import type { ConversationInfo } from '../../model/model.ts';
import { decodeSpans, encodeSpans } from '../../model/spans.ts';
import type { SettingRow } from '../settings-rows.ts';
import type { Deployment, MemberRow, Progress, SkipRow } from '../store.ts';
import type { Row } from './connection.ts';

/**
 * Rows as documents, and the updates by which they only move forward, whatever order they come in. Filters name the
 * conversation beside `_id`, so that a sharded collection knows where to look.
 */

export type StoredMember = Omit<MemberRow, 'spans'> & { spans: string };

type Upsert = AnyBulkWriteOperation<Row>;

/**
 * Takes the place of the stored row, if that has a lower version or is not there. Fields that it does not have stay.
 */
function newerWins(where: Document, row: { version: number } & Document): Upsert {
  const isNewer = { $lt: [{ $ifNull: ['$version', -1] }, row.version] };
  const newer = { $mergeObjects: ['$$ROOT', { $literal: { ...where, ...row } }] };
  const update = [{ $replaceWith: { $cond: [isNewer, newer, '$$ROOT'] } }];
  return { updateOne: { filter: where, update, upsert: true } };
}

export const conversationUpsert = ({ id, ...row }: ConversationInfo): Upsert => newerWins({ _id: id }, row);

export const memberUpsert = ({ conversation, user, spans, version }: MemberRow): Upsert =>
  newerWins({ _id: `${conversation}:${user}`, conversation }, { user, spans: encodeSpans(spans), version });

/** Unlike the rows above, it is found by its own index, so that its fields can be the key of a sharded collection. */
export function settingUpsert({ user, key, value, version }: SettingRow): Upsert {
  const isNewer = { $lt: [{ $ifNull: ['$version', -1] }, version] };
  const newer = (field: string, given: unknown) => ({ $cond: [isNewer, { $literal: given }, `$${field}`] });
  const update = [{ $set: { value: newer('value', value), version: newer('version', version) } }];
  return { updateOne: { filter: { user, key }, update, upsert: true } };
}

/** Of two skips that begin alike the longer one holds. */
export const skipUpsert = ({ conversation, fromSeq, toSeq }: SkipRow): Upsert => ({
  updateOne: {
    filter: { _id: `${conversation}:${fromSeq}`, conversation },
    update: { $max: { toSeq }, $setOnInsert: { fromSeq } },
    upsert: true,
  },
});

/** A stream id as two numbers, which compare as it does. */
const asNumbers = (streamId: unknown): Document => ({
  $map: { input: { $split: [streamId, '-'] }, in: { $toLong: '$$this' } },
});

/**
 * `epoch`: the one of the write, if it names one. Then every write changes something: an update that changes nothing
 * does not meet another one.
 */
export function progressUpdate({ streamId, completeAt }: Progress, epoch?: string): Document[] {
  const isNewer = { $lt: [asNumbers({ $ifNull: ['$streamId', '0-0'] }), asNumbers(streamId)] };
  return [
    {
      $set: {
        streamId: { $cond: [isNewer, streamId, { $ifNull: ['$streamId', streamId] }] },
        completeAt: { $max: ['$completeAt', completeAt] },
        ...(epoch === undefined ? {} : { epoch, writes: { $add: [{ $ifNull: ['$writes', 0] }, 1] } }),
      },
    },
  ];
}

export const toProgress = ({ _id, streamId, completeAt }: Row): Progress => ({
  partition: Number(_id),
  streamId: String(streamId),
  completeAt: Number(completeAt),
});

export const toMember = ({ conversation, user, spans, version }: StoredMember): MemberRow => ({
  conversation,
  user,
  spans: decodeSpans(spans),
  version,
});

/** A row of before there were days has none. */
export const toInfo = ({
  _id,
  kind,
  name,
  createdAt,
  service,
  users,
  historyDays,
  creator,
  version,
}: Row): ConversationInfo => ({
  id: String(_id),
  kind,
  name,
  createdAt,
  service,
  users,
  historyDays: historyDays ?? null,
  ...(creator === undefined ? {} : { creator }),
  version,
});

/**
 * The row of a version that kept the latest loss alone has `lostSince`; what it wrote was opened. A row without
 * `formats` is of a version that knew one format.
 */
export function toDeployment({ _id: _, lostSince = null, ...stored }: Row): Deployment {
  const { epoch, generation } = stored as unknown as Deployment;
  return {
    opened: true,
    formats: 1,
    losses: lostSince === null ? [] : [{ epoch, generation, lostSince }],
    ...stored,
  } as unknown as Deployment;
}
