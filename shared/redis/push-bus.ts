import type { Redis } from 'ioredis';
import { amendmentText } from '../model/amendment.ts';
import { type AmendedEntry, changeText, type MembershipChange, type MessageEntry, readChange } from '../model/entry.ts';
import type { Amends } from './inboxes/inbox-appends.ts';
import type { Keys } from './keys.ts';
import { type PresenceNews, readPresence } from './presence-news.ts';

/**
 * Both ends of the route from the fanout, the archive and other gateways to a gateway. Each gateway has a channel. Each
 * large group has one too, which gateways with online members follow. A publish may be lost. The gateway notices that
 * by the heads and seqs that it asks for when it renews its lease, and then reads the inbox. Both ends are one file, so
 * that each kind of payload has one description, beside what writes and what reads it.
 *
 * A payload consists of lines:
 *
 * - `D` deliver: pairs of lines, header and message text; the text is passed on unchanged.
 *   Header: <sender> <device|*> <user>:<position>,<user>:<position>…
 * - `H` heads: <user>:<head>,… for entries that a repeated batch skipped.
 * - `C` close: <user> <session|*> <code> <reason>
 * - `A` again: <user> <device> <stored position>, the attempt of a redelivery job.
 * - `E` hint: pairs of lines, header and a whole frame. The frame says what can also be asked for, so a lost one costs
 *   freshness alone. Header: <user>,<user>… [not <device>], or on a large group's channel * <version> <conversation>:
 *   to its members, if nobody has joined or left since that version that this gateway knows.
 * - `F` found: <question> <answer>, of a process of the line search (search-bus.ts); the answer is JSON.
 * - `M` members: <user>,<user>… have joined or left large groups.
 * - `S` stored: <partition> <stream id> <stream id>… of messages that history has, and for which this gateway waits.
 * - `W` amendment: triples of lines, header, message text without the new body, and that body as JSON.
 *   Header: <sender> <device|*> <target> <version> <r|e> <user>:<position>,… who see the amended message, or `*`, and
 *   the others in the same form
 * - `P` presence, on the channel of an inbox shard: one line (presence-news.ts).
 * - `L` large, on a group's own channel: pairs of lines, header and message text.
 *   Header: <conversation> <seq> <version> <sender> <device|*> <change|->, the change as in the entry (entry.ts)
 * - `X` amendment of a large group, on that channel: triples of lines as of `W`.
 *   Header: as of `L` with `-`, then <target> <version of the message> <r|e>
 */
export type PushHandler = {
  /** One message for users of this gateway, at these positions of their inboxes. */
  deliver(text: string, sender: string, device: string, recipients: { user: string; position: number }[]): void;
  /** The head of a user's inbox is at least this. */
  head(user: string, head: number): void;
  /** One message of a large group, for all of its members. */
  large(message: LargeMessage): void;
  /** The large groups that these users belong to have changed. */
  larges(users: string[]): void;
  /** The answer to a question of this gateway to the search index. */
  found(question: string, answer: string): void;
  /** History has these messages of a partition. */
  stored(partition: number, streamIds: string[]): void;
  /** A hint for users of this gateway, but not for the device `not`. */
  hint(text: string, users: string[], not: string | null): void;
  /** A hint for the members of a large group at this gateway. */
  hintLarge(text: string, conversation: string, version: number): void;
  /** Somebody watched here, or who may be, came or went. */
  presence(news: PresenceNews): void;
  /** Close a session (`*`: all of the user's) with a code. */
  close(user: string, session: string, code: number, reason: string): void;
  /** Push the unreceived items of this device again; its position in Redis is `stored`. */
  again(user: string, device: string, stored: number): void;
  /** All lines of one payload have been handled: now write to the sockets. */
  flush(): void;
  /** The channel was subscribed again. Publishes in the meantime are lost. */
  resubscribed(): void;
};

export type LargeMessage = {
  conversation: string;
  seq: number;
  /** The version of the members when the message was accepted. */
  version: number;
  sender: string;
  /** The device that sent it; `noDevice` if none did. */
  device: string;
  change: MembershipChange | null;
  text: string;
  /** Of an amendment: the amended message, and the text for those who see that message. */
  amends?: { target: number; text: string };
};

/** A frame for users, but not for the device `not`, which is for a hint to one user alone. */
export type Hint = { users: readonly string[]; not: string | null; text: string };

/** Redis disconnects a subscriber with too large a backlog, so a payload ends soon after this many characters. */
const payloadLength = 1_000_000;

const amendsText = ({ target, version, action }: Omit<Amends, 'body'>): string =>
  `${target} ${version} ${action === 'recall' ? 'r' : 'e'}`;

export type Publish = { channel: string; payload: string };

/**
 * Collects the pushes of one batch. `take` returns one payload for each channel and kind, or a few if they are long.
 */
export function createPushes(keys: Keys) {
  const full: Publish[] = [];
  const deliveries = new Map<string, { lines: string[]; length: number }>();
  const heads = new Map<string, string[]>();
  const members = new Map<string, Set<string>>();

  function close(channel: string): void {
    const { lines } = deliveries.get(channel)!;
    full.push({ channel, payload: lines.join('\n') });
    deliveries.delete(channel);
  }

  /** Payloads of a channel keep the order of their messages, so another kind begins another payload. */
  function add(channel: string, kind: string, ...lines: [header: string, text: string, ...string[]]): void {
    let found = deliveries.get(channel);
    if (found !== undefined && found.lines[0] !== kind) {
      close(channel);
      found = undefined;
    }
    if (found === undefined) deliveries.set(channel, (found = { lines: [kind], length: 0 }));
    found.lines.push(...lines);
    for (const { length } of lines) found.length += length;
    if (found.length >= payloadLength) close(channel);
  }

  return {
    deliver(gateway: string, sender: string, device: string, recipients: string, text: string): void {
      add(keys.push(gateway), 'D', `${sender} ${device} ${recipients}`, text);
    },
    /** `whole` and `bare`: the recipients who see the amended message, and the others. */
    amend(
      gateway: string,
      { sender, device, text, amends }: { sender: string; device: string; text: string; amends: Amends },
      whole = '*',
      bare = '*',
    ): void {
      const header = `${sender} ${device} ${amendsText(amends)} ${whole} ${bare}`;
      add(keys.push(gateway), 'W', header, text, amends.body ?? 'null');
    },
    large(entry: MessageEntry | AmendedEntry, text: string): void {
      const { conversation, seq, version, sender, device } = entry;
      const header = `${conversation} ${seq} ${version} ${sender} ${device}`;
      if (entry.type === 'message') {
        add(keys.large(conversation), 'L', `${header} ${changeText(entry.change)}`, text);
        return;
      }
      const amends = amendsText({ ...entry, version: entry.targetVersion });
      add(keys.large(conversation), 'X', `${header} - ${amends}`, text, entry.body ?? 'null');
    },
    larges(gateway: string, user: string): void {
      const found = members.get(gateway);
      if (found === undefined) members.set(gateway, new Set([user]));
      else found.add(user);
    },
    head(gateway: string, user: string, head: number): void {
      const found = heads.get(gateway);
      if (found === undefined) heads.set(gateway, [`${user}:${head}`]);
      else found.push(`${user}:${head}`);
    },
    take(): Publish[] {
      const all = full;
      for (const [channel, { lines }] of deliveries) all.push({ channel, payload: lines.join('\n') });
      for (const [gateway, list] of heads) all.push({ channel: keys.push(gateway), payload: `H\n${list.join(',')}` });
      for (const [gateway, users] of members)
        all.push({ channel: keys.push(gateway), payload: `M\n${[...users].join(',')}` });
      return all;
    },
  };
}

export const storedPayload = (partition: number, streamIds: readonly string[]): string =>
  `S\n${partition} ${streamIds.join(' ')}`;

/** The payload of one hint. tell-users.lua makes those of several in the same form. */
export const hintPayload = ({ users, not, text }: Hint): string =>
  `E\n${users.join(',')}${not === null ? '' : ` not ${not}`}\n${text}`;

export const largeHintPayload = (conversation: string, version: number, text: string): string =>
  `E\n* ${version} ${conversation}\n${text}`;

/** `answer` is JSON, which holds no raw line end. */
export const foundPayload = (question: string, answer: string): string => `F\n${question} ${answer}`;

/** Undefined for a payload of another kind. */
export function readFoundPayload(payload: string): { question: string; answer: string } | undefined {
  const space = payload.indexOf(' ');
  if (!payload.startsWith('F\n') || space === -1) return undefined;
  return { question: payload.slice('F\n'.length, space), answer: payload.slice(space + 1) };
}

export const closePayload = (user: string, session: string, code: number, why: string): string =>
  `C\n${user} ${session} ${code} ${why}`;

export const againPayload = (user: string, device: string, stored: number): string => `A\n${user} ${device} ${stored}`;

function split(pairs: string): { user: string; position: number }[] {
  return pairs.split(',').map((pair) => {
    const colon = pair.indexOf(':');
    return { user: pair.slice(0, colon), position: Number(pair.slice(colon + 1)) };
  });
}

type Words<Count extends number, Found extends string[] = []> = Found['length'] extends Count
  ? Found
  : Words<Count, [...Found, string]>;

/** The text of an amendment for those who see the amended message. */
const wholeText = (text: string, action: string, body: string): string =>
  action === 'r' ? text : amendmentText(text, body, false);

function readLarge(header: string, text: string): LargeMessage {
  const [conversation, seq, version, sender, device, change] = header.split(' ') as Words<6>;
  return { conversation, seq: Number(seq), version: Number(version), sender, device, change: readChange(change), text };
}

function handleHint(handler: PushHandler, header: string, text: string): void {
  const [first, second, third] = header.split(' ') as [string, string?, string?];
  if (first === '*') handler.hintLarge(text, third!, Number(second));
  else handler.hint(text, first.split(','), third ?? null);
}

function handleAmendment(handler: PushHandler, header: string, text: string, body: string): void {
  const [sender, device, , , action, whole, bare] = header.split(' ') as Words<7>;
  if (whole !== '*') handler.deliver(wholeText(text, action, body), sender, device, split(whole));
  if (bare !== '*') handler.deliver(text, sender, device, split(bare));
}

function readLargeAmendment(header: string, text: string, body: string): LargeMessage {
  const [target, , action] = header.split(' ').slice(6) as Words<3>;
  return { ...readLarge(header, text), amends: { target: Number(target), text: wholeText(text, action, body) } };
}

/** The messages of a payload: how many lines each has, and what it calls for. */
const messageKinds: Readonly<
  Record<string, { lines: number; handle(handler: PushHandler, header: string, text: string, body: string): void }>
> = {
  D: {
    lines: 2,
    handle(handler, header, text) {
      const [sender, device, recipients] = header.split(' ') as [string, string, string];
      handler.deliver(text, sender, device, split(recipients));
    },
  },
  E: { lines: 2, handle: handleHint },
  L: { lines: 2, handle: (handler, header, text) => handler.large(readLarge(header, text)) },
  W: { lines: 3, handle: handleAmendment },
  X: { lines: 3, handle: (handler, header, text, body) => handler.large(readLargeAmendment(header, text, body)) },
};

function handle(payload: string, handler: PushHandler, faulted: (thrown: unknown) => void): void {
  const lines = payload.split('\n');
  const kind = messageKinds[lines[0]!];
  if (kind !== undefined) {
    for (let i = 1; i + kind.lines <= lines.length; i += kind.lines) {
      try {
        kind.handle(handler, lines[i]!, lines[i + 1]!, lines[i + 2]!);
      } catch (thrown) {
        faulted(thrown);
      }
    }
    return;
  }
  switch (lines[0]) {
    case 'M':
      handler.larges(lines[1]!.split(','));
      break;
    case 'H':
      for (const { user, position } of split(lines[1]!)) handler.head(user, position);
      break;
    case 'S': {
      const [partition, ...streamIds] = lines[1]!.split(' ');
      handler.stored(Number(partition), streamIds);
      break;
    }
    case 'F': {
      const { question, answer } = readFoundPayload(payload)!;
      handler.found(question, answer);
      break;
    }
    case 'P':
      handler.presence(readPresence(lines[1]!));
      break;
    case 'C': {
      const [user, session, code, ...why] = lines[1]!.split(' ') as [string, string, string, ...string[]];
      handler.close(user, session, Number(code), why.join(' '));
      break;
    }
    case 'A': {
      const [user, device, stored] = lines[1]!.split(' ') as [string, string, string];
      handler.again(user, device, Number(stored));
      break;
    }
    default:
      throw new Error(`unknown push payload ${lines[0]}`);
  }
}

/** Follows the presence of a shard's users: resolves once every later publish is received, also after a reconnect. */
export const createPresenceChannels = (subscriber: Redis, keys: Keys) => ({
  follow: async (shard: number): Promise<void> => void (await subscriber.subscribe(keys.presence(shard))),
  unfollow: async (shard: number): Promise<void> => void (await subscriber.unsubscribe(keys.presence(shard))),
});

export type PresenceChannels = ReturnType<typeof createPresenceChannels>;

/** Follows large groups: resolves once every later publish is received, also after a reconnect. */
export const createFollowing = (subscriber: Redis, keys: Keys) => ({
  follow: async (conversation: string): Promise<void> => void (await subscriber.subscribe(keys.large(conversation))),
  unfollow: async (conversation: string): Promise<void> =>
    void (await subscriber.unsubscribe(keys.large(conversation))),
});

export type Following = ReturnType<typeof createFollowing>;

/**
 * Receives the pushes to one gateway, from now on and after every reconnect. `faulted` is called with what could not be
 * handled: one message, or a payload that cannot be read. All the rest is still handled.
 */
export async function receivePushes(
  subscriber: Redis,
  keys: Keys,
  gateway: string,
  handler: PushHandler,
  faulted: (thrown: unknown) => void,
): Promise<void> {
  subscriber.on('message', (_channel: string, payload: string) => {
    try {
      try {
        handle(payload, handler, faulted);
      } finally {
        handler.flush();
      }
    } catch (thrown) {
      faulted(thrown);
    }
  });
  let first = subscriber.status !== 'ready';
  subscriber.on('ready', () => {
    if (first) first = false;
    else handler.resubscribed();
  });
  await subscriber.subscribe(keys.push(gateway));
}
