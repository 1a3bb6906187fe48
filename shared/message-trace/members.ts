import type { Redis } from 'ioredis';
import type { JobQueue } from '../jobs/queues.ts';
import { redeliveryAttempts } from '../jobs/redelivery-queue.ts';
import type { Way } from '../model/entry.ts';
import { readRoutes } from '../redis/inboxes/device-routes.ts';
import type { Keys } from '../redis/keys.ts';
import type { DeviceStep, InboxStep, MemberStep } from './trace.ts';

const entriesInPage = 200;

/** Searches an inbox for a message, from the newest entry back. A conversation's seqs rise with the positions. */
async function findInInbox(redis: Redis, inbox: string, conversation: string, seq: number): Promise<number | null> {
  const head = new RegExp(`^\\{"id":"[^"]+","conversation":"${conversation}","seq":(\\d+),`);
  let before = '+';
  for (;;) {
    const page = (await redis.xrevrange(inbox, before, '-', 'COUNT', entriesInPage)) as [string, string[]][];
    for (const [id, fields] of page) {
      const found = Number(head.exec(fields[1]!)?.[1] ?? Infinity);
      if (found === seq) return Number(id.slice(0, id.indexOf('-')));
      if (found < seq) return null;
    }
    if (page.length < entriesInPage) return null;
    before = `(${page.at(-1)![0]}`;
  }
}

/** The gap record that covers a seq: "<fromSeq>:<toSeq>:<firstPosition>:<lastPosition>;…". */
function gapOf(records: string | null, seq: number): InboxStep | null {
  for (const record of (records ?? '').split(';')) {
    const [fromSeq, toSeq, , position] = record.split(':').map(Number) as [number, number, number, number];
    if (fromSeq <= seq && seq <= toSeq) return { state: 'gap', fromSeq, toSeq, position };
  }
  return null;
}

/**
 * Redis' data about one member and one message. Reads only. `isComing`: the fanout had not settled the entry when
 * this was asked. If an inbox does not have the message, it will still come while `isComing`. Otherwise the inbox never
 * had it, or the message was lost. A message of a large group does not come to inboxes at all.
 */
export async function traceMember(
  parts: { redis: Redis; keys: Keys; deliveries: JobQueue },
  user: string,
  conversation: string,
  seq: number,
  way: Way | null,
  isComing: boolean,
): Promise<MemberStep> {
  const { redis, keys, deliveries } = parts;
  const [state, records, remembered] = await Promise.all([
    redis.hmget(keys.user(user), `c:${conversation}`, 'routes', 'notified'),
    redis.hget(keys.gaps(user), conversation),
    redis.hgetall(keys.devices(user)),
  ]);
  const [ofConversation, routes, notified] = state as [string | null, string | null, string | null];
  const lastSeq = Number((ofConversation ?? '0').split(' ')[0]);
  const position = lastSeq < seq ? null : await findInInbox(redis, keys.inbox(user), conversation, seq);
  const absent = lastSeq >= seq ? 'gone' : way === 'large' ? 'unannounced' : isComing ? 'not yet' : 'unknown';
  const inbox: InboxStep = position !== null ? { state: 'held', position } : (gapOf(records, seq) ?? { state: absent });
  const online = new Map(readRoutes(routes ?? '').map(({ device, gateway }) => [device, gateway]));
  const devices = await Promise.all(
    Object.entries(remembered).map(async ([device, value]): Promise<DeviceStep> => {
      const attempts = await redeliveryAttempts(deliveries, user, device);
      const reached = Number(value.split(' ')[0]);
      return {
        device,
        received: 'position' in inbox ? reached >= inbox.position : null,
        gateway: online.get(device) ?? null,
        ...(attempts === null ? {} : { attempts }),
      };
    }),
  );
  return { user, inbox, devices, ...(notified === null ? {} : { notifiedUpTo: Number(notified) }) };
}
