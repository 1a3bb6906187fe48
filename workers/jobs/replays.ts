import { blockOfOne } from '../../shared/history/block.ts';
import type { HistoryStore } from '../../shared/history/store.ts';
import { blockPages } from '../../shared/history/walking.ts';
import { type Amendment, amendedText } from '../../shared/model/amendment.ts';
import type { DeadLetter } from '../../shared/model/dead-letter.ts';
import { amendmentOf, hasText, readEntry } from '../../shared/model/entry.ts';
import { entryOf, messageText, parseMessage, readHead } from '../../shared/model/message-text.ts';
import { serverKindPrefix } from '../../shared/model/model.ts';
import type { Logger } from '../../shared/process/log.ts';
import { knownSend } from '../../shared/recovery/refilling.ts';
import type { DeadLetters } from '../../shared/redis/dead-letters.ts';
import type { SentPool } from '../../shared/redis/streams/sent-pool.ts';

const blocksAtOnce = 20;

/** What a replay did. `open`: the letter stays, because a later version or a repair may do more. */
type Outcome = { effect: string; open?: true };

/** The message of a letter, and what it amends; null if there is none, or this version cannot read it. */
function messageOf({ content = '', subject }: DeadLetter): { text: string; amendments: Amendment[] } | null {
  if (content.startsWith('{"id":')) return { text: content, amendments: [] };
  if (!content.startsWith('[')) return null;
  const { partition, entry: streamId } = subject as { partition: number; entry: string };
  const entry = readEntry(streamId, JSON.parse(content) as string[]);
  if (!hasText(entry)) return null;
  return { text: messageText(partition, entry), amendments: entry.type === 'amended' ? [amendmentOf(entry)] : [] };
}

/**
 * Replays dead letters, once each. A stream entry is replayed into history only: inboxes have gone on without it and
 * have a gap there, which history fills. A block is written only where none is, and an amendment only where no newer
 * one is, so repeating a replay has one effect, even by two processes at once.
 *
 * _Must hold:_ of the sends with one clientId at most one is stored. A loss may have made Redis forget the message of a
 * letter, and its sender was asked to repeat it. So who repeated it has the later message, and who has not done so yet
 * gets the answer of the replayed one.
 */
export function createReplays(parts: {
  deadLetters: Pick<DeadLetters, 'find' | 'close'>;
  history: Pick<HistoryStore, 'amendments' | 'blocks' | 'blocksSince' | 'write'>;
  sends: Pick<SentPool, 'know'>;
  /** Puts a notification into its queue again; null if nobody is notified. */
  notify: ((about: { user: string; head: number }) => Promise<void>) | null;
  /** Puts a failed job into its queue again; resolves the effect, or null if there is no such queue. */
  repeat: (letter: DeadLetter) => Promise<string | null>;
  /** Told of a message that came into history below newer ones. */
  late?: (message: { conversation: string; seq: number }) => Promise<void>;
  log: Logger;
}) {
  const { deadLetters, history, sends, notify, repeat, late, log } = parts;

  async function storedId(conversation: string, seq: number): Promise<string | null> {
    for (const { firstSeq, texts } of await history.blocks(conversation, seq, seq, 'oldest', 4)) {
      const text = texts[seq - firstSeq];
      if (text !== undefined) return readHead(text).id;
    }
    return null;
  }

  /**
   * The stream id of another message that is the same send; null if there is none. From then on none is accepted for as
   * long as a clientId is known. One that was accepted longer ago than that is missed while no archive has stored it.
   */
  async function repeatedAs(text: string): Promise<string | null> {
    const message = parseMessage(text);
    const { id, conversation, sender, clientId, kind, at } = message;
    if (kind.startsWith(serverKindPrefix)) return null;
    for await (const blocks of blockPages(history, conversation, at, blocksAtOnce))
      for (const other of blocks.flatMap(({ texts }) => texts).map(parseMessage))
        if (other.sender === sender && other.clientId === clientId && other.id !== id)
          return entryOf(other.id).streamId;
    const known = await sends.know(conversation, knownSend(message, []));
    return known === entryOf(id).streamId ? null : known;
  }

  async function intoHistory(letter: DeadLetter): Promise<Outcome> {
    const message = messageOf(letter);
    if (message === null) return { effect: 'nothing: this version cannot read it', open: true };
    const { id, conversation, seq, at } = readHead(message.text);
    const stored = await storedId(conversation, seq);
    if (stored !== null && stored !== id) return { effect: `nothing: ${stored} has its seq`, open: true };
    const nothing = { progress: null, conversations: [], members: [], skips: [] };
    if (stored === id) {
      // An archive that was stopped may have stored the message and not settled it.
      if (message.amendments.length > 0)
        await history.write({ ...nothing, amendments: message.amendments, blocks: [] });
      await late?.({ conversation, seq });
      return { effect: 'nothing: history has it' };
    }
    const repeated = await repeatedAs(message.text);
    if (repeated !== null) return { effect: `nothing: its sender has sent it again, as entry ${repeated}` };
    // The message may have been amended meanwhile, and its old body is believed to be nowhere in blocks.
    const [amendment] = await history.amendments(conversation, seq, seq);
    const text = amendment === undefined ? message.text : amendedText(message.text, amendment);
    const blocks = [blockOfOne(conversation, seq, at, text)];
    await history.write({ ...nothing, amendments: message.amendments, blocks });
    if ((await storedId(conversation, seq)) !== id) return { effect: 'nothing: its seq was taken', open: true };
    await late?.({ conversation, seq });
    return { effect: 'written to history' };
  }

  async function carryOut(letter: DeadLetter): Promise<Outcome> {
    if (letter.subject.group !== undefined) return intoHistory(letter);
    if (letter.reason === 'undelivered') return { effect: 'nothing: the inbox holds it until the device comes' };
    if (letter.reason === 'unnotified' && notify !== null) {
      await notify(letter.subject as { user: string; head: number });
      return { effect: 'put into the queue again' };
    }
    if (letter.reason === 'job_failed') {
      const effect = await repeat(letter);
      if (effect !== null) return { effect };
    }
    return { effect: 'nothing: there is no replay for this reason', open: true };
  }

  /** Rejects when a store does not answer: the job is repeated. */
  return async function replay(id: string): Promise<void> {
    const letter = await deadLetters.find(id);
    if (letter === null || letter.replayed !== undefined) return;
    const { effect, open } = await carryOut(letter);
    if (open !== true) await deadLetters.close(letter, effect);
    log.info({ event: 'replayed', id, reason: letter.reason, effect });
  };
}
