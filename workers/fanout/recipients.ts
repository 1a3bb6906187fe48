import { LRUCache } from 'lru-cache';
import type { AmendedEntry, MessageEntry, SkippedEntry } from '../../shared/model/entry.ts';
import { isDirect } from '../../shared/model/ids.ts';
import type { SeqRange, Span } from '../../shared/model/model.ts';
import { covers, decodeSpans } from '../../shared/model/spans.ts';
import type { Conversations } from '../../shared/redis/conversations/conversations.ts';

export type Recipient = { user: string; /** The seq before the first that the span shows. */ joined: number };

/** `sees`: whether the recipient sees the amended message too. */
export type AmendmentRecipient = Recipient & { sees: boolean };

type Versioned = Pick<MessageEntry, 'conversation' | 'version' | 'change'>;
type Cached = { version: number; members: Map<string, Span[]> };

const mostCachedMembers = 500_000;

function ofDirect([one, other]: readonly [string, string]): Recipient[] {
  const first = { user: one, joined: 0 };
  return one === other ? [first] : [first, { user: other, joined: 0 }];
}

function covered({ seq, change }: MessageEntry, members: Map<string, Span[]>): Recipient[] {
  const recipients: Recipient[] = [];
  // The span of an earlier join may have been merged since; by this entry the user joins right here.
  const joining = change?.action === 'joined' ? change.user : null;
  for (const [user, spans] of members)
    for (const span of spans)
      if (covers(span, seq)) recipients.push({ user, joined: user === joining ? seq - 1 : span.joined });
  return recipients;
}

/**
 * The recipients of a message: members with a span that covers its seq. Spans are cached with their version. They are
 * valid if it is at least the entry's: later changes only add spans and ends above the entry's seq. So no invalidation
 * is needed as long as Redis is the same.
 */
export function createRecipients({ read, members: membersOf }: Pick<Conversations, 'read' | 'members'>) {
  const cache = new LRUCache<string, Cached>({
    maxSize: mostCachedMembers,
    sizeCalculation: ({ members }) => members.size + 1,
  });

  /** Undefined: not known here. */
  function cachedSpans({ conversation, version, change }: Versioned): Map<string, Span[]> | undefined {
    const cached = cache.get(conversation);
    if (cached === undefined || cached.version >= version) return cached?.members;
    if (change === null || cached.version !== version - 1) return undefined;
    cached.members.set(change.user, decodeSpans(change.spans));
    cache.set(conversation, { version, members: cached.members });
    return cached.members;
  }

  async function readSpans(conversation: string): Promise<Map<string, Span[]>> {
    const { version, spans } = await membersOf(conversation);
    cache.set(conversation, { version, members: spans });
    return spans;
  }

  return {
    /** Forgets everything read: Redis came back, perhaps with an older state. */
    forget: (): void => cache.clear(),

    /**
     * At once where nothing has to be read, as for almost every message. Otherwise rejects with `not_found` if neither
     * Redis nor history knows the conversation.
     */
    of(entry: MessageEntry): Recipient[] | Promise<Recipient[]> {
      if (entry.users !== null) return ofDirect(entry.users);
      const spans = cachedSpans(entry);
      if (spans !== undefined) return covered(entry, spans);
      return readSpans(entry.conversation).then((members) => covered(entry, members));
    },

    /**
     * Those who get an amendment, and `former`: those who see the amended message and not the amendment, because they
     * left in between. Rejects as `of` does.
     */
    async ofAmendment(entry: AmendedEntry): Promise<{ getting: AmendmentRecipient[]; former: string[] }> {
      const { users, seq, target } = entry;
      if (users !== null) return { getting: ofDirect(users).map((one) => ({ ...one, sees: true })), former: [] };
      const getting: AmendmentRecipient[] = [];
      const former: string[] = [];
      const members = cachedSpans({ ...entry, change: null }) ?? (await readSpans(entry.conversation));
      for (const [user, spans] of members) {
        const sees = spans.some((span) => covers(span, target));
        const span = spans.find((one) => covers(one, seq));
        if (span !== undefined) getting.push({ user, joined: span.joined, sees });
        else if (sees) former.push(user);
      }
      return { getting, former };
    },

    /** What the conversation knows of seqs that do not count as unread: of the time while it was a large group. */
    quiet: async (conversation: string): Promise<SeqRange[]> => (await read(conversation)).quiet,

    /** Users who see seqs of a range that was skipped. Rejects as `of` does. */
    async seeing({ conversation, fromSeq, toSeq }: SkippedEntry): Promise<string[]> {
      // The present members will do, as the entry has no version: members who joined later see nothing of the range.
      if (isDirect(conversation)) return [...new Set((await read(conversation)).info.users)];
      return [...(await membersOf(conversation)).spans]
        .filter(([, spans]) => spans.some(({ joined, left }) => joined < toSeq && (left ?? toSeq) >= fromSeq))
        .map(([user]) => user);
    },
  };
}

export type Recipients = ReturnType<typeof createRecipients>;
