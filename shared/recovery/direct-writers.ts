import type { HistoryStore } from '../history/store.ts';
import { parseMessage } from '../model/message-text.ts';
import type { Wrote } from '../model/wrote.ts';

/** How many of a conversation's newest messages are looked at. */
const mostLookedAt = 200;
const blocksAtOnce = 20;

/**
 * Which of a direct conversation's two users have written, as far as the newest messages of history say. History is not
 * asked if Redis knows already that both have.
 */
export async function readWriters(
  history: Pick<HistoryStore, 'blocks'>,
  inRedis: (conversation: string) => Promise<Wrote>,
  conversation: string,
  users: readonly [string, string],
): Promise<Wrote> {
  if ((await inRedis(conversation)) === '12') return '12';
  const senders = new Set<string>();
  let left = mostLookedAt;
  for (let toSeq = Number.MAX_SAFE_INTEGER; left > 0 && toSeq > 0;) {
    const blocks = await history.blocks(conversation, 1, toSeq, 'newest', blocksAtOnce);
    for (const { texts } of blocks) {
      const looked = left > 0 ? texts.slice(-left) : [];
      for (const text of looked) senders.add(parseMessage(text).sender);
      left -= looked.length;
    }
    toSeq = blocks.length < blocksAtOnce ? 0 : blocks.at(-1)!.firstSeq - 1;
  }
  return `${senders.has(users[0]) ? '1' : ''}${senders.has(users[1]) ? '2' : ''}`;
}
