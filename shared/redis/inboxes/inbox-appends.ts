import type { Redis } from 'ioredis';
import type { AmendAction } from '../../model/amendment.ts';
import type { Keys } from '../keys.ts';
import { lossJump } from '../loss.ts';
import { run } from '../scripts.ts';

/** The role of a message for its recipient (append-inbox.lua). */
export type Role =
  | 'member'
  | 'sender'
  | 'joins'
  | 'leaves'
  | 'listed'
  | 'forced'
  | 'sent'
  | 'skipped'
  | 'quiet'
  | 'over';

/** `+`: the group is one of the recipient's large ones from this message on. `-`: it no longer is. '': no change. */
export type Mark = '' | '+' | '-';

/** A message to append to inboxes. `device` is `noDevice` if no device sent it; `at` is in ms since 1970. */
export type InboxText = { sender: string; device: string; at: number; text: string; amends?: Amends };

/** What a text amends, of the roles `quiet` and `over`; `body` as JSON. */
export type Amends = { target: number; version: number; action: AmendAction; body: string | null };

/**
 * One message for one user. `text` is an index into the batch's texts; -1: no text, the message becomes a gap. Of an
 * amendment, `sees` says whether the user sees the amended message (`quiet`), or the amendment (`over`).
 */
export type InboxAppend = {
  text: number;
  seq: number;
  prev: number;
  joined: number;
  role: Role;
  mark: Mark;
  sees?: boolean;
  /** The amendment is appended although something before it is missing. */
  forced?: true;
};

/** Messages of one conversation for one user, in rising order. */
export type InboxRun = { user: string; conversation: string; appends: InboxAppend[] };

export type AppendOutcome = number | 'skipped' | 'conflict' | 'hole';
export type RunOutcome = { headBefore: number; gateways: string[]; outcomes: AppendOutcome[] };

/** Maximum appends of a script call, roughly: Redis is blocked meanwhile. */
const appendsInCall = 200;

/**
 * Maximum calls in flight. The last of them must not wait for longer than a command may take, even if a group has
 * 100,000 members.
 */
const callsAtOnce = 64;

/** Yields indices of runs for one script call each: about `appendsInCall` appends; a run is never divided. */
function* inCalls(keys: Keys, runs: InboxRun[]): Generator<number[]> {
  const open = new Map<number, { indices: number[]; size: number }>();
  for (let index = 0; index < runs.length; index++) {
    const { user, appends } = runs[index]!;
    const group = keys.groupOf(user);
    let part = open.get(group);
    if (part === undefined) open.set(group, (part = { indices: [], size: 0 }));
    part.indices.push(index);
    part.size += appends.length;
    if (part.size < appendsInCall) continue;
    yield part.indices;
    open.delete(group);
  }
  for (const { indices } of open.values()) yield indices;
}

/** A message among the arguments of a call: the index by which appends name it, and what it was placed for. */
type Placed = { index: number; conversation: string; seq: number; prev: number };

const argsOfMessage = 7;
const nothing: InboxText = { sender: '', device: '', at: 0, text: '' };

/** The word of a role that belongs to an amendment. `bodyPlace` is the new body's place among the call's texts. */
function amendingRole({ role, sees, forced }: InboxAppend, amends: Amends, bodyPlace: number): string {
  const letter = amends.action === 'recall' ? 'r' : 'e';
  if (role === 'over' && sees !== true) return `over ${amends.target} 0 w 0`;
  const known = `${role} ${amends.target} ${amends.version} ${letter} ${sees === true ? bodyPlace : 0}`;
  return forced === true ? `${known} forced` : known;
}

function readOutcome(line: string): RunOutcome {
  const words = line.split(' ');
  const outcomes: AppendOutcome[] = [];
  for (let i = 2; i < words.length; i++) {
    const word = words[i]!;
    outcomes.push(word === '-' ? 'skipped' : word === 'hole' || word === 'conflict' ? word : Number(word));
  }
  return { headBefore: Number(words[0]), gateways: words[1] === '-' ? [] : words[1]!.split(','), outcomes };
}

/**
 * Appends a batch to the inboxes of its recipients, many calls at once. Resolves one outcome per run, or 'closed' if a
 * slot is not open. Rejects if any call fails: repeat the whole batch then, which is harmless. With `publish` the
 * scripts push each message as they append it, which saves a small batch two round trips. Otherwise the caller pushes
 * by the outcomes, one publish per gateway. `notifyAfterMs`: delay until the notifications look at a user that got
 * something; 0 without notifications.
 */
export async function appendToInboxes(
  redis: Redis,
  keys: Keys,
  mostEntries: number,
  texts: InboxText[],
  runs: InboxRun[],
  publish: boolean,
  notifyAfterMs = 0,
): Promise<RunOutcome[] | 'closed'> {
  const found: RunOutcome[] = [];
  found.length = runs.length;
  let closed = false;

  async function call(indices: number[]): Promise<void> {
    const placed = new Map<number, Placed>();
    const messages: (string | number)[] = [];
    const users: string[] = [];
    const args: (string | number)[] = [];
    /** The index of an append's message in this call. Without a text, its seqs are all that it says. */
    const place = (conversation: string, { text, seq, prev }: InboxAppend): number => {
      const known = placed.get(text);
      if (known?.conversation === conversation && known.seq === seq && known.prev === prev) return known.index;
      const { sender, device, at, text: content } = texts[text] ?? nothing;
      const index = messages.push(conversation, seq, prev, sender, device, at, content) / argsOfMessage;
      placed.set(text, { index, conversation, seq, prev });
      // The new body stands behind its amendment.
      const amends = texts[text]?.amends;
      if (amends !== undefined) messages.push('', 0, 0, '', '', 0, amends.body ?? 'null');
      return index;
    };
    for (const index of indices) {
      const { user, conversation, appends } = runs[index]!;
      users.push(keys.user(user));
      args.push(keys.shardBase(user), appends.length);
      for (const append of appends) {
        const at = place(conversation, append);
        const amends = texts[append.text]?.amends;
        const role = amends === undefined ? append.role : amendingRole(append, amends, at + 1);
        args.push(at, append.joined, append.mark === '' ? role : role + append.mark);
      }
    }
    const lines = await run<string[]>(redis, 'append-inbox', users, [
      mostEntries,
      lossJump,
      publish ? keys.pushBase : '',
      notifyAfterMs,
      messages.length / argsOfMessage,
      ...messages,
      ...args,
    ]);
    for (let i = 0; i < lines.length; i++) {
      if (lines[i] === 'closed') closed = true;
      else found[indices[i]!] = readOutcome(lines[i]!);
    }
  }

  let calls: Promise<void>[] = [];
  for (const indices of inCalls(keys, runs)) {
    calls.push(call(indices));
    if (calls.length < callsAtOnce) continue;
    await Promise.all(calls);
    calls = [];
  }
  await Promise.all(calls);
  return closed ? 'closed' : found;
}
