import type { Redis } from 'ioredis';
import type { HistoryStore } from '../../shared/history/store.ts';
import { groupNames } from '../../shared/model/groups.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import type { Finding, Kind } from './findings.ts';
import { isBefore } from './streams.ts';

type Stores = { redis: Redis; keys: Keys; history: HistoryStore };

type GroupNumbers = { pending: number; unread: number | null };

/** What a reply of XINFO says of each group. */
function groupNumbers(reply: (string | number | null)[][]): Map<string, GroupNumbers> {
  return new Map(
    reply.map((fields) => {
      const field = (name: string) => fields[fields.indexOf(name) + 1];
      const lag = field('lag');
      return [String(field('name')), { pending: Number(field('pending')), unread: lag === null ? null : Number(lag) }];
    }),
  );
}

/**
 * One partition: the counters that bound the backlog agree with what each group has pending and has not read, and the
 * stream reaches as far as the archive's progress. Both are read in one step of Redis.
 */
export async function auditPartition(
  { redis, keys, history }: Stores,
  partition: number,
): Promise<{ unsettled: Record<string, number>; findings: Finding[] }> {
  const findings: Finding[] = [];
  const found = (kind: Kind, what: string): void => void findings.push({ kind, where: `partition ${partition}`, what });
  // Read before Redis: progress that is written later may well be further.
  const progress = (await history.progress()).find((one) => one.partition === partition);
  const stream = keys.messages(partition);
  if ((await redis.exists(stream)) === 0) {
    if (progress !== undefined) found('stream_behind', `no stream, history has come to ${progress.streamId}`);
    return { unsettled: {}, findings };
  }
  const replies = await redis
    .multi()
    .hmget(keys.partitionSlot(partition), 'appended', ...groupNames.map((group) => `settled:${group}`))
    .xinfo('GROUPS', stream)
    .xinfo('STREAM', stream)
    .exec();
  const [counts, groups, info] = replies!.map(([error, value]) => {
    if (error) throw error;
    return value;
  }) as [(string | null)[], (string | number | null)[][], (string | number)[]];
  const [appended = 0, ...settled] = counts.map((count) => Number(count ?? 0));
  const numbers = groupNumbers(groups);
  const unsettled: Record<string, number> = {};
  for (const [i, group] of groupNames.entries()) {
    const counted = appended - settled[i]!;
    const { pending, unread } = numbers.get(group) ?? { pending: 0, unread: 0 };
    unsettled[group] = pending + (unread ?? 0);
    // Redis does not always know how many entries a group has not read.
    if (unread !== null && counted !== pending + unread)
      found('wrong_unsettled', `group ${group}: ${counted} by the counters, ${pending} pending and ${unread} unread`);
  }
  const end = String(info[info.indexOf('last-generated-id') + 1]);
  if (progress !== undefined && isBefore(end, progress.streamId))
    found('stream_behind', `the stream ends at ${end}, history has come to ${progress.streamId}`);
  return { unsettled, findings };
}

/** The deployment: both stores name one epoch. */
export async function auditDeployment({ redis, keys, history }: Stores): Promise<Finding[]> {
  const [epoch, row] = await Promise.all([redis.hget(keys.deployment, 'epoch'), history.deployment()]);
  if (row === null ? epoch === null : row.epoch === epoch) return [];
  return [{ kind: 'other_epoch', where: 'deployment', what: `${epoch} in Redis, ${row?.epoch ?? 'none'} in history` }];
}

/** Dead letters: the open ones are stored, and their counts add up. */
export async function auditDeadLetters({ redis, keys }: Stores): Promise<{ open: number; findings: Finding[] }> {
  const { letters, open, counts } = keys.deadLetters;
  const replies = await redis.multi().zcard(open).hvals(counts).hlen(letters).exec();
  const [opened, each, stored] = replies!.map(([error, value]) => {
    if (error) throw error;
    return value;
  }) as [number, string[], number];
  const sum = each.reduce((total, count) => total + Number(count), 0);
  const agree = sum === opened && opened <= stored;
  return {
    open: opened,
    findings: agree
      ? []
      : [
          {
            kind: 'wrong_dead_letters',
            where: 'deployment',
            what: `${opened} are open, ${sum} are counted, ${stored} are stored`,
          },
        ],
  };
}
