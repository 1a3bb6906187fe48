import type { HistoryStore } from '../history/store.ts';
import { blockPages } from '../history/walking.ts';
import { type AmendAction, type Amendment, amendmentKind } from '../model/amendment.ts';
import { bodyHash, fingerprint, parseMessage } from '../model/message-text.ts';
import { type Message, serverKindPrefix } from '../model/model.ts';
import { amendFingerprint, anyFingerprint } from '../redis/streams/fingerprints.ts';
import type { KnownSend, SentPool } from '../redis/streams/sent-pool.ts';

const blocksAtOnce = 20;
const sendsInCall = 500;

const isAmendment = ({ kind }: Message): boolean => kind === amendmentKind;

/** An amend of which another one took the place has lost its body: any body is taken for it. */
function amendOf(message: Message, inForce: readonly Amendment[]): Pick<KnownSend, 'fingerprint' | 'version'> {
  const { seq, action, version } = message.body as { seq: number; action: AmendAction; version: number };
  const body = inForce.find(({ amendSeq }) => amendSeq === message.seq)?.body ?? null;
  return { fingerprint: amendFingerprint(seq, action, body === null ? '*' : bodyHash(body)), version };
}

/** A text that another body was put into is taken for the same, whatever is sent again. */
const sendOf = ({ kind, class: messageClass, body, amended }: Message): Pick<KnownSend, 'fingerprint'> => ({
  fingerprint: amended === undefined ? fingerprint(kind, messageClass, JSON.stringify(body)) : anyFingerprint,
});

/** A message as the pool of known clientIds has it. `inForce`: amendments that have their bodies. */
export function knownSend(message: Message, inForce: readonly Amendment[]): KnownSend {
  const { id, seq, at, sender, clientId } = message;
  const what = isAmendment(message) ? amendOf(message, inForce) : sendOf(message);
  return { sender, clientId, seq, streamId: id.slice(id.indexOf('-') + 1), at, ...what };
}

/**
 * Restores the lost part of a conversation's pool of known clientIds, as far as history has it. A sender may then
 * repeat a message or an amend accepted within DEDUPE_MINUTES before the loss: it gets the first answer, whatever its
 * clientId, and no send needs a search.
 *
 * _Must hold:_ it runs before the conversation is installed, in the epoch that is being installed for. Then history has
 * all that it will ever have from before the loss: it takes no batch of an earlier epoch any more (EpochOver).
 */
export const createRefilling =
  (history: Pick<HistoryStore, 'blocksSince' | 'amendmentsBy'>, pool: SentPool) =>
  async (conversation: string): Promise<void> => {
    const since = await pool.refill(conversation, []);
    if (since === null) return;
    for await (const blocks of blockPages(history, conversation, since, blocksAtOnce)) {
      const messages = blocks
        .flatMap(({ texts }) => texts.map(parseMessage))
        .filter((message) => message.at >= since)
        .filter((message) => isAmendment(message) || !message.kind.startsWith(serverKindPrefix));
      const amends = messages.filter(isAmendment).map(({ seq }) => seq);
      const inForce =
        amends.length === 0 ? [] : await history.amendmentsBy(conversation, Math.min(...amends), Math.max(...amends));
      const sends = messages.map((message) => knownSend(message, inForce));
      for (let i = 0; i < sends.length; i += sendsInCall)
        await pool.refill(conversation, sends.slice(i, i + sendsInCall));
    }
  };

export type Refill = ReturnType<typeof createRefilling>;
