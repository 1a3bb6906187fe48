import pLimit from 'p-limit';
import type { HistoryStore } from '../../shared/history/store.ts';
import { blockPages } from '../../shared/history/walking.ts';
import { isAmended } from '../../shared/model/amendment.ts';
import { Refusal } from '../../shared/model/errors.ts';
import { fingerprint, parseMessage } from '../../shared/model/message-text.ts';
import { historyKeptMs } from '../../shared/model/retention.ts';
import type { Conversations, LiveConversation } from '../../shared/redis/conversations/conversations.ts';
import type { FirstSend, Send } from '../../shared/redis/streams/sends.ts';
import { wallMs } from '../../shared/timing/clocks.ts';
import type { LookupBudget } from '../limits/lookup-budget.ts';

/** How far the clock that made a clientId may be ahead of the server's (ms). */
const skewMs = 5 * 60_000;
const blocksAtOnce = 20;
const searchesAtOnce = 4;

/** `print` is null if the message was amended: what was sent is stored nowhere. */
type Found = { clientId: string; seq: number; streamId: string; at: number; print: string | null };

const isNotFound = (thrown: unknown): boolean => thrown instanceof Refusal && thrown.code === 'not_found';

/**
 * Finds the first message of each send whose clientId is older than the dedupe window in Redis.
 *
 * The sends must have one sender and one conversation: dedupe is per conversation. One walk serves them all. It
 * searches what is not archived yet, then history from the earliest time in the clientIds on, within the retention.
 * A message that was amended is the same send whatever its body is now: a refusal would hide that it was accepted.
 * Rejects with `rate_limited` if the sender's lookup budget is used up.
 */
export function createDedupeLookup(parts: {
  read: Conversations['read'];
  blocksSince: HistoryStore['blocksSince'];
  budget: LookupBudget;
  /** The deployment's retention (ms), for conversations without a retention of their own. */
  retentionMs: number;
}) {
  const limit = pLimit(searchesAtOnce);

  /**
   * The message in this text if it is by the sender and has one of the clientIds, otherwise null. A message's own
   * fields come before its body, so the first place that matches is its own.
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
      print: isAmended(text) ? null : fingerprint(kind, messageClass, JSON.stringify(body)),
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
          : {
              seq: first.seq,
              streamId: first.streamId,
              at: first.at,
              same: first.print === null || first.print === send.fingerprint,
            };
      });
    /** Returns whether all are found now. */
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
    for await (const blocks of blockPages(parts, conversation, since, blocksAtOnce)) {
      let messages = 0;
      for (const { texts } of blocks) {
        messages += texts.length;
        if (look(texts)) break;
      }
      parts.budget.spend(sender, messages);
      if (wanted.size === 0) break;
    }
    return results();
  }

  return (sends: Send[]): Promise<(FirstSend | null)[]> =>
    limit(() => {
      parts.budget.check(sends[0]!.sender);
      return find(sends);
    });
}
