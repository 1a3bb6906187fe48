import type { HistoryStore } from '../shared/history/store.ts';
import { parseMessage } from '../shared/message-text.ts';
import type { Conversations } from '../shared/redis/conversations.ts';
import type { Send } from '../shared/redis/messages.ts';
import { fingerprint } from './sending.ts';

/** A clientId may be made this much before the server's clock says so (ms). */
const skewMs = 5 * 60_000;
const blocksAtOnce = 20;

/**
 * Looks for the first message of a sender with a clientId that is older than the pool of known ones: in what is not archived
 * yet, then in the history since the time in the clientId. The target conversation only: dedupe is per conversation.
 */
export function createFirstSends(read: Conversations['read'], blocksSince: HistoryStore['blocksSince']) {
  function match(text: string, send: Send): { seq: number; streamId: string; same: boolean } | null {
    if (!text.includes(`"sender":"${send.sender}","clientId":"${send.clientId}"`)) return null;
    const { id, seq, sender, clientId, kind, body, class: messageClass } = parseMessage(text);
    if (sender !== send.sender || clientId !== send.clientId) return null;
    return { seq, streamId: id.slice(id.indexOf('-') + 1), same: fingerprint(kind, messageClass, JSON.stringify(body)) === send.fingerprint };
  }

  return async function find(send: Send): Promise<{ seq: number; streamId: string; same: boolean } | null> {
    const live = await read(send.conversation, { unsettled: true }).catch((thrown: unknown) => {
      if ((thrown as { code?: string }).code === 'not_found') return null;
      throw thrown;
    });
    if (live === null) return null;
    for (const text of live.unsettled.values()) {
      const found = match(text, send);
      if (found) return found;
    }
    for (let afterSeq = 0; ; ) {
      const blocks = await blocksSince(send.conversation, send.made - skewMs, afterSeq, blocksAtOnce);
      for (const { texts } of blocks) {
        for (const text of texts) {
          const found = match(text, send);
          if (found) return found;
        }
      }
      if (blocks.length < blocksAtOnce) return null;
      // Blocks may overlap: the next one may begin within this one.
      afterSeq = blocks.at(-1)!.firstSeq;
    }
  };
}
