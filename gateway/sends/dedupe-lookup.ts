import pLimit from 'p-limit';
import type { HistoryStore } from '../../shared/history/store.ts';
import { Refusal } from '../../shared/model/errors.ts';
import { fingerprint, parseMessage } from '../../shared/model/message-text.ts';
import { historyKeptMs } from '../../shared/model/retention.ts';
import type { Conversations, LiveConversation } from '../../shared/redis/conversations/conversations.ts';
import type { FirstSend, Send } from '../../shared/redis/streams/sends.ts';
import { wallMs } from '../../shared/timing/clocks.ts';
import type { LookupBudget } from '../limits/lookup-budget.ts';

/** A clientId may be made this much before the server's clock says so (ms). */
const skewMs = 5 * 60_000;
const blocksAtOnce = 20;
const searchesAtOnce = 4;

type Found = { clientId: string; seq: number; streamId: string; at: number; print: string };

const isNotFound = (thrown: unknown): boolean => thrown instanceof Refusal && thrown.code === 'not_found';

/**
 * Looks for the first messages of one sender with clientIds that are older than what the pool of known ones knows: in
 * what is not archived yet, then in the history since the earliest time in the clientIds, within the retention. The
 * target conversation only: dedupe is per conversation. One walk serves all clientIds. Rejects with `rate_limited` when
 * the sender's budget is used up.
 */
export function createDedupeLookup(parts: {
  read: Conversations['read'];
  blocksSince: HistoryStore['blocksSince'];
  budget: LookupBudget;
  /** How long messages are kept, but for conversations that have days of their own. */
  retentionMs: number;
}) {
  const limit = pLimit(searchesAtOnce);

  /**
   * The message of this text if it is of the sender and has one of the clientIds. Its own fields come before any in its
   * body.
   */
  function match(text: string, sender: string, wanted: Set<string>): Found | null {
    const before = `,"sender":"${sender}","clientId":"`;
    const place = text.indexOf(before);
    if (place === -1) return null;
    const from = place + before.length;
    if (!wanted.has(text.slice(from, text.indexOf('"', from)))) return null;
    const { id, seq, at, sender: by, clientId, kind, body, class: messageClass } = parseMessage(text);
    if (by !== sender || !wanted.has(clientId)) return null;
    return {
      clientId,
      seq,
      at,
      streamId: id.slice(id.indexOf('-') + 1),
      print: fingerprint(kind, messageClass, JSON.stringify(body)),
    };
  }

  async function find(sends: Send[]): Promise<(FirstSend | null)[]> {
    const { sender, conversation } = sends[0]!;
    const found = new Map<string, Found>();
    const wanted = new Set(sends.map(({ clientId }) => clientId));
    const results = (): (FirstSend | null)[] =>
      sends.map((send) => {
        const first = found.get(send.clientId);
        return first === undefined
          ? null
          : { seq: first.seq, streamId: first.streamId, at: first.at, same: first.print === send.fingerprint };
      });
    /** Answers whether all are found. */
    const look = (texts: Iterable<string>): boolean => {
      for (const text of texts) {
        const first = match(text, sender, wanted);
        if (first === null) continue;
        found.set(first.clientId, first);
        wanted.delete(first.clientId);
      }
      return wanted.size === 0;
    };
    let live: LiveConversation;
    try {
      live = await parts.read(conversation, { unsettled: true });
    } catch (thrown) {
      if (isNotFound(thrown)) return results();
      throw thrown;
    }
    if (look(live.unsettled.values())) return results();
    const since = Math.max(
      Math.min(...sends.map(({ made }) => made)) - skewMs,
      wallMs() - historyKeptMs(live.info, parts.retentionMs),
    );
    for (let afterSeq = 0; ;) {
      const blocks = await parts.blocksSince(conversation, since, afterSeq, blocksAtOnce);
      let messages = 0;
      for (const { texts } of blocks) {
        messages += texts.length;
        if (look(texts)) break;
      }
      parts.budget.spend(sender, messages);
      if (wanted.size === 0 || blocks.length < blocksAtOnce) return results();
      // Blocks may overlap: the next one may begin within this one.
      afterSeq = blocks.at(-1)!.firstSeq;
    }
  }

  return (sends: Send[]): Promise<(FirstSend | null)[]> =>
    limit(() => {
      parts.budget.check(sends[0]!.sender);
      return find(sends);
    });
}
