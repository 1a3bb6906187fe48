import type { HistoryStore } from '../history/store.ts';
import { fingerprint, parseMessage } from '../model/message-text.ts';
import { serverKindPrefix } from '../model/model.ts';
import type { KnownSend, SentPool } from '../redis/streams/sent-pool.ts';

const blocksAtOnce = 20;
const sendsInCall = 500;

function knownSend(text: string): KnownSend & { kind: string } {
  const { id, seq, at, sender, clientId, kind, body, class: messageClass } = parseMessage(text);
  return {
    sender,
    clientId,
    fingerprint: fingerprint(kind, messageClass, JSON.stringify(body)),
    seq,
    streamId: id.slice(id.indexOf('-') + 1),
    at,
    kind,
  };
}

/**
 * Restores the lost part of a conversation's pool of known clientIds, as far as history has it. A sender may then
 * repeat a message accepted within DEDUPE_MINUTES before the loss: it gets the first answer, whatever its clientId, and
 * no send needs a search. Must run before the conversation is installed. Messages that the archive stores only
 * afterwards are not found.
 */
export const createRefilling =
  (history: Pick<HistoryStore, 'blocksSince'>, pool: SentPool) =>
  async (conversation: string): Promise<void> => {
    const since = await pool.refill(conversation, []);
    if (since === null) return;
    for (let afterSeq = 0; ;) {
      const blocks = await history.blocksSince(conversation, since, afterSeq, blocksAtOnce);
      const sends = blocks
        .flatMap(({ texts }) => texts.map(knownSend))
        .filter((send) => send.at >= since && !send.kind.startsWith(serverKindPrefix));
      for (let i = 0; i < sends.length; i += sendsInCall)
        await pool.refill(conversation, sends.slice(i, i + sendsInCall));
      if (blocks.length < blocksAtOnce) return;
      // Blocks may overlap: the next one may begin within this one.
      afterSeq = blocks.at(-1)!.firstSeq;
    }
  };

export type Refill = ReturnType<typeof createRefilling>;
