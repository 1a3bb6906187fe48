import type {
  AmendedEntry,
  CreatedEntry,
  Entry,
  FoundedEntry,
  MessageEntry,
  SkippedEntry,
} from '../../shared/model/entry.ts';
import { Refusal } from '../../shared/model/errors.ts';
import { messageText } from '../../shared/model/message-text.ts';
import type { SeqRange } from '../../shared/model/model.ts';
import type { InboxAppend } from '../../shared/redis/inboxes/inbox-appends.ts';
import type { Bury } from '../dead-letter-writer.ts';
import { add, type Batch, changedUser, markOf, roleOf } from './batch.ts';
import type { Recipient, Recipients } from './recipients.ts';

function nobodyIfNotFound(thrown: unknown): string[] {
  if (thrown instanceof Refusal && thrown.code === 'not_found') return [];
  throw thrown;
}

/** Adds the conversation to the inboxes of its founding members, who have no join message. */
export function addListed(
  users: string[],
  { conversation, createdAt, large, joined }: CreatedEntry | FoundedEntry,
  batch: Batch,
): void {
  for (const user of users) {
    add(batch, user, conversation, {
      text: -1,
      seq: createdAt,
      prev: 0,
      joined,
      role: 'listed',
      mark: large ? '+' : '',
    });
  }
}

/** Only joins and leaves of a large group get into an inbox; its other messages count as sent for their sender. */
function collectLarge(entry: MessageEntry, content: string, batch: Batch): void {
  const { conversation, seq, prev, sender, device, change } = entry;
  batch.large.push({ entry, text: content });
  if (change === null) {
    add(batch, sender, conversation, { text: -1, seq, prev, joined: 0, role: 'sent', mark: '' });
    return;
  }
  const text = batch.texts.push({ sender, device, at: entry.at, text: content }) - 1;
  for (const { user, joined } of changedUser(entry)) {
    const role = roleOf(entry, user);
    add(batch, user, conversation, { text, seq, prev, joined, role, mark: markOf(entry, role) });
  }
}

/** No message: seqs that do not count as unread. */
const skipped = ({ fromSeq, toSeq }: SeqRange): InboxAppend => ({
  text: -1,
  seq: toSeq,
  prev: fromSeq,
  joined: 0,
  role: 'skipped',
  mark: '',
});

/** Without an entry: the users are withheld the body of the amended message from now on. */
function withhold(
  { conversation, seq, prev, sender, device, at, target }: AmendedEntry,
  users: string[],
  batch: Batch,
) {
  if (users.length === 0) return;
  const amends = { target, version: 0, action: 'recall' as const, body: null };
  const text = batch.texts.push({ sender, device, at, text: '', amends }) - 1;
  for (const user of users)
    add(batch, user, conversation, { text, seq, prev, joined: 0, role: 'over', mark: '', sees: false });
}

const nothingQuiet: readonly SeqRange[] = [];

/** `text`: its place in the batch. `quiet`: what does not count as unread before it. */
function addMessage(
  entry: MessageEntry,
  text: number,
  found: readonly Recipient[],
  quiet: readonly SeqRange[],
  batch: Batch,
): void {
  const { conversation, seq, prev } = entry;
  for (const { user, joined } of found) {
    for (const range of quiet) add(batch, user, conversation, skipped(range));
    const role = roleOf(entry, user);
    add(batch, user, conversation, { text, seq, prev, joined, role, mark: markOf(entry, role) });
  }
}

type FanoutRecipients = Pick<Recipients, 'of' | 'ofAmendment' | 'quiet' | 'seeing'>;

/** Works out who gets which entry. */
export function createCollecting({ recipients, bury }: { recipients: FanoutRecipients; bury: Bury }) {
  /** A message whose conversation exists nowhere becomes a dead letter: it has no recipients and must block nothing. */
  async function orBury<T>(
    partition: number,
    entry: MessageEntry | AmendedEntry,
    found: Promise<T>,
    none: T,
  ): Promise<T> {
    try {
      return await found;
    } catch (thrown) {
      if (!(thrown instanceof Refusal) || thrown.code !== 'not_found') throw thrown;
      const { streamId, conversation, seq } = entry;
      await bury({
        reason: 'no_conversation',
        partition,
        group: 'inbox',
        streamId,
        error: 'its conversation is nowhere',
        content: messageText(partition, entry),
        subject: { conversation, seq },
      });
      return none;
    }
  }

  /** At once where nothing has to be read. */
  function recipientsOf(partition: number, entry: MessageEntry): Recipient[] | Promise<Recipient[]> {
    const found = recipients.of(entry);
    return Array.isArray(found) ? found : orBury(partition, entry, found, []);
  }

  const recipientsOfAmendment = (partition: number, entry: AmendedEntry): ReturnType<Recipients['ofAmendment']> =>
    orBury(partition, entry, recipients.ofAmendment(entry), { getting: [], former: [] });

  /**
   * What was quiet while the group was large came to no inbox. It stands in the gap before the entry that shrinks it.
   */
  const quietBefore = async (partition: number, entry: MessageEntry | AmendedEntry): Promise<SeqRange[]> =>
    entry.way === 'shrunk' ? orBury(partition, entry, recipients.quiet(entry.conversation), []) : [];

  function collectMessage(partition: number, entry: MessageEntry, batch: Batch): Promise<void> | null {
    const { conversation, sender, device } = entry;
    const content = messageText(partition, entry);
    // A direct conversation is never large.
    if (entry.users === null) batch.isLarge.set(conversation, entry.way === 'large');
    if (entry.way === 'large') {
      collectLarge(entry, content, batch);
      return null;
    }
    const text = batch.texts.push({ sender, device, at: entry.at, text: content }) - 1;
    const found = recipientsOf(partition, entry);
    if (!Array.isArray(found) || entry.way === 'shrunk') return addWhenRead(partition, entry, text, found, batch);
    addMessage(entry, text, found, nothingQuiet, batch);
    return null;
  }

  async function addWhenRead(
    partition: number,
    entry: MessageEntry,
    text: number,
    found: Recipient[] | Promise<Recipient[]>,
    batch: Batch,
  ): Promise<void> {
    addMessage(entry, text, await found, await quietBefore(partition, entry), batch);
  }

  /**
   * An amendment goes to those who get the messages of its conversation. Who sees the amended message alone is told
   * what is laid over it. In a large group so is everybody, where the message may stand in inboxes from before.
   */
  async function collectAmendment(partition: number, entry: AmendedEntry, batch: Batch): Promise<void> {
    const { conversation, seq, prev, sender, device, at, users, way, target, targetVersion, action, body } = entry;
    const content = messageText(partition, entry);
    const isLarge = way === 'large';
    if (users === null) batch.isLarge.set(conversation, isLarge);
    if (isLarge) batch.large.push({ entry, text: content });
    if (isLarge && target > prev) return;
    const amends = { target, version: targetVersion, action, body };
    const text = batch.texts.push({ sender, device, at, text: content, amends }) - 1;
    const { getting, former } = await recipientsOfAmendment(partition, entry);
    const quiet = await quietBefore(partition, entry);
    for (const { user, joined, sees } of getting) {
      for (const range of quiet) add(batch, user, conversation, skipped(range));
      if (!isLarge)
        add(batch, user, conversation, { text, seq, prev, joined, role: 'quiet', mark: markOf(entry, 'quiet'), sees });
      else if (sees) add(batch, user, conversation, { text, seq, prev, joined, role: 'over', mark: '', sees });
    }
    withhold(entry, former, batch);
  }

  /** Skipped seqs do not count as unread. Without a conversation there is nobody to count for. */
  async function collectSkipped(entry: SkippedEntry, batch: Batch): Promise<void> {
    for (const user of await recipients.seeing(entry).catch(nobodyIfNotFound))
      add(batch, user, entry.conversation, skipped(entry));
  }

  return {
    /**
     * Adds an entry to a batch: at once where nothing has to be read, which null says. A very large group's `founded`
     * entry is added in parts, by the caller.
     */
    collect(partition: number, entry: Entry, batch: Batch): Promise<void> | null {
      switch (entry.type) {
        case 'message':
          return collectMessage(partition, entry, batch);
        case 'amended':
          return collectAmendment(partition, entry, batch);
        case 'created':
          addListed(entry.members, entry, batch);
          return null;
        case 'skipped':
          return collectSkipped(entry, batch);
        case 'founded':
        case 'renamed':
        case 'settings':
          return null;
        case 'unknown':
          return bury({
            reason: 'unknown_format',
            partition,
            group: 'inbox',
            streamId: entry.streamId,
            error: 'unknown entry format',
            content: JSON.stringify(entry.fields),
          });
      }
    },

    /**
     * A gap in the place of a poison or outdated message, for everybody who should have got it in an inbox. What such
     * an amendment amends is withheld there: its old body must not come again.
     */
    async collectGap(partition: number, entry: MessageEntry | AmendedEntry, batch: Batch): Promise<void> {
      const { conversation, seq, prev, way } = entry;
      const gap = { text: -1, seq, prev };
      if (entry.type === 'amended') {
        const { getting, former } = await recipientsOfAmendment(partition, entry);
        for (const { user, joined } of way === 'large' ? [] : getting)
          add(batch, user, conversation, { ...gap, joined, role: 'member', mark: markOf(entry, 'member') });
        const seeing = [...getting.filter(({ sees }) => sees).map(({ user }) => user), ...former];
        withhold(entry, way === 'large' && entry.target > prev ? [] : seeing, batch);
        return;
      }
      // In a large group the next message shows that one is missing; a joining or leaving user still has to learn that.
      const concerned = way === 'large' ? changedUser(entry) : await recipientsOf(partition, entry);
      for (const { user, joined } of concerned) {
        const role = roleOf(entry, user);
        add(batch, user, conversation, { ...gap, joined, role, mark: markOf(entry, role) });
      }
    },

    /** No member of a very large group is stored anywhere. */
    async buryFounded(partition: number, { streamId, conversation }: FoundedEntry): Promise<void> {
      await bury({
        reason: 'no_conversation',
        partition,
        group: 'inbox',
        streamId,
        error: 'its members are nowhere',
        content: conversation,
        subject: { conversation },
      });
    },
  };
}
