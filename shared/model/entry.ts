import type { AmendAction, Amendment } from './amendment.ts';
import { acceptedAt } from './message-text.ts';
import type { ConversationChange, MembershipAction, MessageClass } from './model.ts';

/**
 * The entries of a message stream. Field `r` is the routing: words separated by single spaces, which no id contains.
 * Field `t` is the rest, as JSON.
 *
 *   1 message <conversation> <seq> <prev> <version> <sender> <device|*> <class> <users|-> <change|-> [way]
 *       t: message tail
 *   1 amended <conversation> <seq> <prev> <version> <sender> <device|*> <class> <users|-> - <target> <targetVersion>
 *             <r|e> [way]
 *       t: message tail
 *       b: the new body as JSON, of an edit; null, of a recall
 *   1 created <conversation> <createdAt> <service 0|1> <version> <users|-> [large]
 *       t: {"joined"?:…,"name":…,"members":[…],"creator"?:…}
 *   1 founded <conversation> <createdAt> <service 0|1> <version> <inboxes|large> <joined>
 *       t: {"name":…,"creator"?:…}
 *   1 renamed <conversation> <version>
 *       t: {"name":…} or {"historyDays":…}, or both
 *   1 skipped <conversation> <fromSeq> <toSeq>
 *       t: {}
 *   1 settings <user> <version> <key>
 *       t: the value as JSON; null: removed
 *
 * Fields that a message or an amendment may have behind `t`. They are found by name; a reader ignores those that it
 * does not know:
 *
 *   a   when the message was accepted, in ms: if the stream's ids are ahead of Redis' clock
 *       (append-message.include.lua). It comes first, because version 0.1.0 looks for it there.
 *   w   the gateway that waits until history has the message
 *   s   of a direct message that went the short way: it came into both inboxes in the step that accepted it
 *   b   of an amendment, see above
 *
 * - The leading number is the format. An entry of an unknown format becomes a dead letter; it is never dropped.
 * - `prev` is the previous seq that went to inboxes, or 0 if that is not known.
 * - `device` is `*` if no device sent the message: no device id is `*`. Version 0.1.0 wrote `-`, which is a legal id
 *   and is still read as the device of that name.
 * - `users` are the two users of a direct conversation, joined by a comma.
 * - `change` belongs to a membership message: `<user>:<action>:<spans>`, with the spans of that user after the change.
 * - `-` means none: `users` always hold a comma, and `change` always holds colons.
 * - The way is `grown`, `large` or `shrunk` (choose-way.include.lua). Without one, a message goes to the inboxes.
 * - `joined` is the seq before the first one that the founding members see, or 0 if absent.
 * - `amended` is a message of kind `restante.amend` with the seq `seq`, and recalls (`r`) or edits (`e`) the message
 *   `target` of its conversation, as its version `targetVersion` (amendment.ts). Its tail does not hold the new body.
 * - `renamed` says that the conversation itself has changed, even if only its days have. It keeps this name because
 *   processes of a version without `historyDays` know it.
 * - A group with more members than an entry should name is `founded`: its members are in Redis. Older versions wrote
 *   several `created` entries for it, each with some of the members.
 */
const entryFormat = '1';

export type MembershipChange = { user: string; action: MembershipAction; spans: string };

/**
 * The route of a message: to the inboxes (`grown`: the last one there, `shrunk`: the first one there again), or to
 * none.
 */
export type Way = 'inboxes' | 'grown' | 'large' | 'shrunk';

export type MessageEntry = {
  type: 'message';
  streamId: string;
  conversation: string;
  seq: number;
  prev: number;
  version: number;
  sender: string;
  /** The device that sent it; `noDevice` if none did. */
  device: string;
  class: MessageClass;
  users: readonly [string, string] | null;
  change: MembershipChange | null;
  way: Way;
  /** When it was accepted, ms since 1970. */
  at: number;
  /** The gateway that waits until history has it; '' if none does. */
  awaitedBy: string;
  /** It went the short way (docs/design/short-way.md). */
  short: boolean;
  tail: string;
};

/** A message that recalls or edits the message `target` of its conversation. */
export type AmendedEntry = Omit<MessageEntry, 'type' | 'change'> & {
  type: 'amended';
  target: number;
  targetVersion: number;
  action: AmendAction;
  /** The new body as JSON; null: recalled. */
  body: string | null;
};

export type CreatedEntry = {
  type: 'created';
  streamId: string;
  conversation: string;
  createdAt: number;
  service: boolean;
  version: number;
  users: readonly [string, string] | null;
  /** Its messages have no inbox entries. */
  large: boolean;
  name: string | null;
  /** The seq before the first one that its members see: above 0 if a loss skipped the seqs before. */
  joined: number;
  members: string[];
  /** The user who created it; absent if a back end or an older version did. */
  creator?: string;
};

/** A group of very many members: those in Redis whose first span begins at `joined` (Conversations.founders). */
export type FoundedEntry = Omit<CreatedEntry, 'type' | 'members' | 'users'> & { type: 'founded' };

export type RenamedEntry = {
  type: 'renamed';
  streamId: string;
  conversation: string;
  version: number;
} & ConversationChange;

export type SkippedEntry = { type: 'skipped'; streamId: string; conversation: string; fromSeq: number; toSeq: number };

/** A user has set something for itself (settings.ts). `value` is JSON. */
export type SettingsEntry = {
  type: 'settings';
  streamId: string;
  user: string;
  version: number;
  key: string;
  value: string;
};

/** An entry of a format or type that this version does not know. */
export type UnknownEntry = { type: 'unknown'; streamId: string; fields: string[] };

export type Entry =
  | MessageEntry
  | AmendedEntry
  | CreatedEntry
  | FoundedEntry
  | RenamedEntry
  | SkippedEntry
  | SettingsEntry
  | UnknownEntry;

function pair(text: string): readonly [string, string] | null {
  if (text === '-') return null;
  const comma = text.indexOf(',');
  return [text.slice(0, comma), text.slice(comma + 1)];
}

export const changeText = (change: MembershipChange | null): string =>
  change === null ? '-' : `${change.user}:${change.action}:${change.spans}`;

export function readChange(text: string): MembershipChange | null {
  if (text === '-') return null;
  const [user, action, spans] = text.split(':') as [string, MembershipAction, string];
  return { user, action, spans };
}

const isWay = (word: string): boolean => word === 'large' || word === 'grown' || word === 'shrunk';

/** Reads a whole number that JavaScript represents exactly. Anything else makes the entry unreadable. */
function whole(word: string | undefined): number {
  const number = Number(word);
  if (!Number.isSafeInteger(number)) throw new TypeError('not a whole number');
  return number;
}

/** A field behind `t`; '' if the entry does not have it. */
function optional(fields: string[], name: string): string {
  for (let i = 4; i + 1 < fields.length; i += 2) if (fields[i] === name) return fields[i + 1]!;
  return '';
}

const creatorOf = ({ creator }: { creator?: string }): { creator?: string } =>
  creator === undefined ? {} : { creator };

/** A message, or what an amendment has in common with one. One literal, since every message is read by it. */
function readMessage(streamId: string, fields: string[], words: string[], change: string, way: string): MessageEntry {
  const at = optional(fields, 'a');
  return {
    type: 'message',
    streamId,
    conversation: words[2]!,
    seq: whole(words[3]),
    prev: whole(words[4]),
    version: whole(words[5]),
    sender: words[6]!,
    device: words[7]!,
    class: words[8] as MessageClass,
    users: pair(words[9]!),
    change: readChange(change),
    way: way as Way,
    at: at === '' ? acceptedAt(streamId) : whole(at),
    awaitedBy: optional(fields, 'w'),
    short: optional(fields, 's') !== '',
    tail: fields[3]!,
  };
}

/** Whether an entry has so many words, or one more, which is a way. */
const hasWords = (words: string[], count: number): boolean =>
  words.length === count || (words.length === count + 1 && isWay(words[count]!));

/** Reads one entry as returned by XREADGROUP and XRANGE. Never throws: an unreadable entry is `unknown`. */
export function readEntry(streamId: string, fields: string[]): Entry {
  return readKnown(streamId, fields) ?? { type: 'unknown', streamId, fields };
}

/** Null: of an unknown format or type, or unreadable. */
function readKnown(streamId: string, fields: string[]): Entry | null {
  if (fields[0] !== 'r' || fields[2] !== 't') return null;
  const words = fields[1]!.split(' ');
  const tail = fields[3]!;
  if (words[0] !== entryFormat) return null;
  const conversation = words[2]!;
  try {
    switch (words[1]) {
      case 'message': {
        if (!hasWords(words, 11)) return null;
        return readMessage(streamId, fields, words, words[10]!, words[11] ?? 'inboxes');
      }
      case 'amended': {
        const action = words[13] === 'r' ? 'recall' : words[13] === 'e' ? 'edit' : null;
        const body = optional(fields, 'b');
        if (!hasWords(words, 14) || action === null || body === '') return null;
        const { change: _, ...message } = readMessage(streamId, fields, words, '-', words[14] ?? 'inboxes');
        return {
          ...message,
          type: 'amended',
          target: whole(words[11]),
          targetVersion: whole(words[12]),
          action,
          body: action === 'recall' ? null : body,
        };
      }
      case 'created': {
        const {
          joined = 0,
          name,
          members,
          ...more
        } = JSON.parse(tail) as Pick<CreatedEntry, 'name' | 'members' | 'creator'> & { joined?: number };
        return {
          type: 'created',
          streamId,
          conversation,
          createdAt: whole(words[3]),
          service: words[4] === '1',
          version: whole(words[5]),
          users: pair(words[6]!),
          large: words[7] === 'large',
          name,
          joined,
          members,
          ...creatorOf(more),
        };
      }
      case 'founded': {
        const { name, ...more } = JSON.parse(tail) as Pick<FoundedEntry, 'name' | 'creator'>;
        return {
          type: 'founded',
          streamId,
          conversation,
          createdAt: whole(words[3]),
          service: words[4] === '1',
          version: whole(words[5]),
          large: words[6] === 'large',
          joined: whole(words[7]),
          name,
          ...creatorOf(more),
        };
      }
      case 'renamed': {
        const { name, historyDays } = JSON.parse(tail) as ConversationChange;
        return { type: 'renamed', streamId, conversation, version: whole(words[3]), name, historyDays };
      }
      case 'skipped':
        return { type: 'skipped', streamId, conversation, fromSeq: whole(words[3]), toSeq: whole(words[4]) };
      case 'settings':
        JSON.parse(tail);
        return { type: 'settings', streamId, user: words[2]!, version: whole(words[3]), key: words[4]!, value: tail };
      default:
        return null;
    }
  } catch {
    return null;
  }
}

/** A message, or an amendment, which is one: it has a seq and a text. */
export const hasText = (entry: Entry): entry is MessageEntry | AmendedEntry =>
  entry.type === 'message' || entry.type === 'amended';

/** What an entry lays over the message that it amends. */
export const amendmentOf = (entry: AmendedEntry): Amendment => ({
  conversation: entry.conversation,
  seq: entry.target,
  amendSeq: entry.seq,
  version: entry.targetVersion,
  action: entry.action,
  by: entry.sender,
  at: entry.at,
  body: entry.body,
});
