import type { Facts, Message, Sighting } from './facts.ts';

/**
 * What the final state says: every conversation as a service read it at the end, and who was a member of it when. All
 * other sightings are compared with this.
 */

/** A time of membership: the member sees the seqs with `joined < seq <= left`; `left` null: still a member. */
export type Span = { joined: number; left: number | null };

export type Conversation = {
  id: string;
  /** By rising seq. */
  messages: Map<number, Message>;
  absent: { fromSeq: number; toSeq: number }[];
  lastSeq: number;
  /** The line of the last page of it. */
  line: number;
  /** Null: not known who its members were. */
  spans: Map<string, Span[]> | null;
};

export type Truth = {
  conversations: Map<string, Conversation>;
  /** The stored messages of a sender and clientId in a conversation. */
  stored(sender: string, clientId: string, conversation: string): Message[];
  /** The direct conversation of two users, as answers to their sends named it. */
  directOf(one: string, other: string): string | null;
  /** Whether state was lost: then numbers may be missing. */
  lossSeen: boolean;
  /** Whether everything was read. */
  complete: boolean;
};

const pairOf = (one: string, other: string): string => [one, other].sort().join(' ');

/** The members of direct conversations: the answers to sends by `to` say which is whose. */
function directs(facts: Facts): Map<string, string> {
  const found = new Map<string, string>();
  for (const sends of facts.sends.values())
    for (const { sender, target, attempts } of sends) {
      if (!target.startsWith('to ')) continue;
      for (const { outcome } of attempts)
        if (outcome?.kind === 'accepted') found.set(pairOf(sender, target.slice(3)), outcome.conversation);
    }
  return found;
}

function spansOfGroup(members: string[], messages: Iterable<Message>): Map<string, Span[]> {
  const spans = new Map<string, Span[]>(members.map((member) => [member, [{ joined: 0, left: null }]]));
  for (const { seq, change } of messages) {
    if (change === null) continue;
    const mine = spans.get(change.user) ?? [];
    spans.set(change.user, mine);
    const last = mine.at(-1);
    if (change.action === 'joined') {
      if (last === undefined || last.left !== null) mine.push({ joined: seq - 1, left: null });
    } else if (last !== undefined && last.left === null) last.left = seq;
  }
  return spans;
}

export function truthOf(facts: Facts): Truth {
  const conversations = new Map<string, Conversation>();
  const bySend = new Map<string, Message[]>();
  const byService = (sighting: Sighting): boolean =>
    sighting.final && sighting.user === null && sighting.path === 'history';

  for (const { conversation: id, absent, line, user, final } of facts.pages) {
    if (!final || user !== null) continue;
    let conversation = conversations.get(id);
    if (conversation === undefined)
      conversations.set(id, (conversation = { id, messages: new Map(), absent: [], lastSeq: 0, line, spans: null }));
    conversation.absent.push(...absent);
    conversation.line = line;
  }
  const seen: Message[] = facts.sightings.filter(byService).map(({ message }) => message);
  for (const message of seen.sort((a, b) => a.seq - b.seq)) {
    const conversation = conversations.get(message.conversation);
    if (conversation === undefined || conversation.messages.has(message.seq)) continue;
    conversation.messages.set(message.seq, message);
    conversation.lastSeq = message.seq;
    const key = `${message.sender} ${message.clientId} ${message.conversation}`;
    bySend.set(key, [...(bySend.get(key) ?? []), message]);
  }
  const pairs = directs(facts);
  for (const [pair, id] of pairs) {
    const conversation = conversations.get(id);
    if (conversation !== undefined)
      conversation.spans = new Map(pair.split(' ').map((user) => [user, [{ joined: 0, left: null }]]));
  }
  for (const { conversation: id, members } of facts.creations) {
    const conversation = conversations.get(id);
    if (conversation !== undefined) conversation.spans = spansOfGroup(members, conversation.messages.values());
  }
  return {
    conversations,
    stored: (sender, clientId, conversation) => bySend.get(`${sender} ${clientId} ${conversation}`) ?? [],
    directOf: (one, other) => pairs.get(pairOf(one, other)) ?? null,
    lossSeen: facts.epochs.length > 1,
    complete: facts.dumpEnded?.complete === true,
  };
}

export const covers = (spans: readonly Span[], seq: number): boolean =>
  spans.some(({ joined, left }) => seq > joined && (left === null || seq <= left));
