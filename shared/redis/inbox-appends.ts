import type { Redis } from 'ioredis';
import { lossJump } from './conversations.ts';
import type { Keys } from './keys.ts';
import { run } from './scripts.ts';

/** What an entry is to its recipient (append-inbox.lua). */
export type Role = 'member' | 'sender' | 'joins' | 'leaves' | 'listed' | 'forced';

/** One entry for one user. `text` is an index into the batch's texts, -1 for none. */
export type InboxAppend = { text: number; conversation: string; seq: number; prev: number; joined: number; role: Role };

export type AppendOutcome = number | 'skipped' | 'conflict' | 'hole';
/** A message on its way into inboxes; `source` is "<sender> <device|->". */
export type InboxText = { source: string; text: string };

export type UserOutcome = { user: string; headBefore: number; gateways: string[]; outcomes: AppendOutcome[] };

/** A script call ends soon after so many appends: Redis does nothing else meanwhile. */
const appendsInCall = 400;

/** The users in parts of about that many appends that may meet in one script; a user is never divided. */
function* inCalls(keys: Keys, appends: Map<string, InboxAppend[]>): Generator<string[]> {
  const open = new Map<number, { users: string[]; size: number }>();
  for (const [user, list] of appends) {
    const group = keys.groupOf(user);
    let part = open.get(group);
    if (part === undefined) open.set(group, (part = { users: [], size: 0 }));
    part.users.push(user);
    part.size += list.length;
    if (part.size < appendsInCall) continue;
    yield part.users;
    open.delete(group);
  }
  for (const { users } of open.values()) yield users;
}

/**
 * Appends a batch to the inboxes of its recipients, a user's part always in one call and in order, all calls pipelined.
 * Resolves one outcome for each user, or 'closed' when a slot is not open. Rejects when any call failed: then the whole batch
 * has to be repeated, which is harmless. With `publish` the scripts push each item as they append it, which saves a small batch
 * two ways through Redis; else the caller pushes by the outcomes, one publish for each gateway.
 */
export async function appendToInboxes(
  redis: Redis,
  keys: Keys,
  mostEntries: number,
  texts: InboxText[],
  appends: Map<string, InboxAppend[]>,
  publish: boolean,
): Promise<UserOutcome[] | 'closed'> {
  const users: string[] = [];
  const calls: Promise<string[]>[] = [];
  for (const part of inCalls(keys, appends)) {
    users.push(...part);
    const used = new Map<number, number>();
    const sent: string[] = [];
    const args: (string | number)[] = [];
    for (const user of part) {
      const list = appends.get(user)!;
      args.push(list.length);
      for (const { text, conversation, seq, prev, joined, role } of list) {
        let index = text === -1 ? 0 : used.get(text);
        if (index === undefined) {
          index = sent.push(texts[text]!.source, texts[text]!.text) / 2;
          used.set(text, index);
        }
        args.push(index, conversation, seq, prev, joined, role);
      }
    }
    const call = run<string[]>(
      redis,
      'append-inbox',
      part.flatMap((user) => [keys.shardSlot(keys.shardOf(user)), keys.user(user), keys.inbox(user), keys.gaps(user), keys.devices(user)]),
      [mostEntries, lossJump, publish ? keys.pushBase : '', sent.length / 2, ...sent, ...args],
    );
    calls.push(call);
  }
  const outcomes: UserOutcome[] = [];
  for (const lines of await Promise.all(calls)) {
    for (const line of lines) {
      if (line === 'closed') return 'closed';
      const words = line.split(' ');
      outcomes.push({
        user: users[outcomes.length]!,
        headBefore: Number(words[0]),
        gateways: words[1] === '-' ? [] : words[1]!.split(','),
        outcomes: words.slice(2).map((word) => (word === '-' ? 'skipped' : word === 'hole' || word === 'conflict' ? word : Number(word))),
      });
    }
  }
  return outcomes;
}
