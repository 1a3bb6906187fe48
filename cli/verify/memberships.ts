import type { Redis } from 'ioredis';
import type { HistoryStore } from '../../shared/history/store.ts';
import type { Span } from '../../shared/model/model.ts';
import { decodeSpans } from '../../shared/model/spans.ts';
import { decodeSkips } from '../../shared/redis/conversations/install-form.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { addRange, type Ranges } from './ranges.ts';

/** A user's membership of a conversation, and how far the conversation has come. */
export type Membership = {
  spans: Span[];
  /** Seqs that were never given. */
  skips: Ranges;
  /** The last seq in Redis; null if Redis does not know the conversation. */
  seq: number | null;
  /** The last message that goes into inboxes; null if that is not known. */
  lastForInboxes: number | null;
};

const rowsInPage = 500;

/** What Redis says of one conversation and user; spans null where it does not know them. */
async function inRedis(redis: Redis, keys: Keys, user: string, id: string) {
  const partition = keys.partitionOf(id);
  const [[seq, prev, large, users, epoch, skips], spans, line] = await Promise.all([
    redis.hmget(keys.conversation(partition, id), 'seq', 'prev', 'large', 'users', 'epoch', 'skips'),
    redis.hget(keys.members(partition, id), user),
    redis.hget(keys.partitionSlot(partition), 'line'),
  ]);
  // What is of an earlier line is replaced from history when somebody needs it.
  const isLoaded = epoch === line;
  if (!seq || !(isLoaded || epoch?.startsWith(`unloaded:${line}:`) === true)) return null;
  const ofDirect: Span[] = users?.split(',').includes(user) === true ? [{ joined: 0, left: null }] : [];
  return {
    seq: Number(seq),
    lastForInboxes: Number(large ?? prev ?? seq),
    skips: decodeSkips(skips ?? ''),
    spans: isLoaded ? (users === null || users === undefined ? decodeSpans(spans ?? '') : ofDirect) : null,
  };
}

/**
 * All memberships of a user: those that history has, and those of conversations that its inbox knows. Redis is asked
 * first, since a change reaches history later; where Redis does not know the members, history says.
 */
export async function membershipsOf(
  { redis, keys, history }: { redis: Redis; keys: Keys; history: HistoryStore },
  user: string,
  inInbox: Iterable<string>,
): Promise<Map<string, Membership>> {
  const rows = new Map<string, { spans: Span[]; skips: Ranges }>();
  for (let after = ''; ;) {
    const page = await history.conversationsOf(user, after, rowsInPage);
    for (const { member, skips } of page) rows.set(member.conversation, { spans: member.spans, skips });
    if (page.length < rowsInPage) break;
    after = page.at(-1)!.member.conversation;
  }
  const found = new Map<string, Membership>();
  for (const id of new Set([...rows.keys(), ...inInbox])) {
    const live = await inRedis(redis, keys, user, id);
    const row = rows.get(id);
    const skips: Ranges = [];
    for (const { fromSeq, toSeq } of [...(row?.skips ?? []), ...(live?.skips ?? [])].toSorted(
      (one, other) => one.fromSeq - other.fromSeq,
    ))
      addRange(skips, fromSeq, toSeq);
    found.set(id, {
      spans: live?.spans ?? row?.spans ?? [],
      skips,
      seq: live?.seq ?? null,
      lastForInboxes: live?.lastForInboxes ?? null,
    });
  }
  return found;
}
