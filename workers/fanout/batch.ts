import { type AmendedEntry, type Entry, hasText, type MessageEntry } from '../../shared/model/entry.ts';
import { decodeSpans } from '../../shared/model/spans.ts';
import type { InboxAppend, InboxRun, InboxText, Mark, Role } from '../../shared/redis/inboxes/inbox-appends.ts';
import type { Recipient } from './recipients.ts';

/**
 * A read of the stream, or a part of it, on its way into the inboxes. `size` counts its appends. `large`: messages of
 * large groups, which are published and not appended. Messages of the two routes are published apart, so a batch holds
 * only one route of a conversation; `isLarge` says which.
 */
export type Batch = {
  texts: InboxText[];
  runs: InboxRun[];
  runOf: Map<string, InboxRun>;
  size: number;
  large: { entry: MessageEntry | AmendedEntry; text: string }[];
  isLarge: Map<string, boolean>;
};

export const emptyBatch = (): Batch => ({
  texts: [],
  runs: [],
  runOf: new Map(),
  size: 0,
  large: [],
  isLarge: new Map(),
});

/** Adds an append to the run of its user and conversation. */
export function add(batch: Batch, user: string, conversation: string, append: InboxAppend): void {
  const name = `${user} ${conversation}`;
  let run = batch.runOf.get(name);
  if (run === undefined) {
    batch.runOf.set(name, (run = { user, conversation, appends: [] }));
    batch.runs.push(run);
  }
  run.appends.push(append);
  batch.size += 1;
}

/** Whether an entry takes another route than the batch's entries of the same conversation. */
export function changesRoute({ isLarge }: Batch, entry: Entry): boolean {
  if (!hasText(entry) || entry.users !== null) return false;
  const known = isLarge.get(entry.conversation);
  return known !== undefined && known !== (entry.way === 'large');
}

/** What a message is to one of its recipients. */
export function roleOf(entry: MessageEntry, user: string): Role {
  if (entry.change?.user === user) return entry.change.action === 'joined' ? 'joins' : 'leaves';
  return entry.sender === user ? 'sender' : 'member';
}

/** The user who joins or leaves by a message, if any. */
export const changedUser = ({ change }: MessageEntry): Recipient[] =>
  change === null ? [] : [{ user: change.user, joined: decodeSpans(change.spans).at(-1)!.joined }];

/**
 * How a message changes the recipient's list of large groups. The message that makes a group large, or no longer
 * large, tells every member. In between, joins and leaves tell their user.
 */
export function markOf({ way }: Pick<MessageEntry, 'way'>, role: Role): Mark {
  if (way === 'inboxes') return '';
  if (way === 'shrunk' || role === 'leaves') return '-';
  return way === 'grown' || role === 'joins' ? '+' : '';
}
