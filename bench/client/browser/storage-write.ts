import type { Batch } from '../../../sdk/src/storage/storage.ts';
import type { Package } from './page-client.ts';
import { openPage, type Stage } from './stage.ts';

declare const restante: Package;

const items = 200;
const conversations = 10;
/** The first ones run code that is new to the engine. */
const warmUps = 3;
const writes = 11;

/** A page of messages in some conversations, as a client stores it. */
function pageOf(number: number): Batch {
  const each = items / conversations;
  const from = number * each + 1;
  const ids = Array.from({ length: conversations }, (_, index) => `d:alice:user${index}`);
  const messages = ids.flatMap((conversation) =>
    Array.from({ length: each }, (_, index) => ({
      id: `${conversation}:${from + index}`,
      conversation,
      seq: from + index,
      at: 1_700_000_000_000 + from + index,
      sender: conversation.slice('d:alice:'.length),
      clientId: `w${from + index}`,
      kind: 'text',
      body: { text: `message ${from + index} ${'x'.repeat(80)}` },
      class: 'normal' as const,
    })),
  );
  const rows = ids.map((id) => ({
    id,
    peer: id.slice('d:alice:'.length),
    unread: from + each - 1,
    countedSeq: from + each - 1,
    readSeq: 0,
    lastSeq: from + each - 1,
    last: messages.findLast(({ conversation }) => conversation === id) ?? null,
    at: 1_700_000_000_000 + from + each,
    present: [{ fromSeq: 1, toSeq: from + each - 1 }],
    absent: [],
    epoch: 'e1',
    gaps: [],
    stale: [],
    indexed: [],
    bytes: 200 * (from + each),
    amendments: [],
  }));
  const meta = { user: 'alice', device: 'browser', position: (number + 1) * items, epoch: 'e1' };
  return { term: 1, meta, conversations: rows, messages };
}

/** How long a transaction with a page of 200 messages takes (ms), the median of some one after the other. */
export function storageWrite(stage: Stage): Promise<number[]> {
  const batches = Array.from({ length: warmUps + writes }, (_, number) => pageOf(number));
  return stage.withProfile(async (profile) => {
    const page = await openPage(profile, stage, stage.port);
    const took = await page.evaluate(async (all) => {
      const storage = restante.indexedDb({ name: 'written' });
      await storage.open();
      const times: number[] = [];
      for (const batch of all) {
        const since = performance.now();
        await storage.write(batch);
        times.push(performance.now() - since);
      }
      return times;
    }, batches);
    return took.slice(warmUps);
  });
}
