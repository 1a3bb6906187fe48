import type { Redis } from 'ioredis';
import { targetOf } from '../../shared/model/amendment.ts';
import { readHead } from '../../shared/model/message-text.ts';
import { type ConversationState, readLarges, readState } from '../../shared/redis/inboxes/user-fields.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { type HeldAmendment, wrongOverlays } from './overlays.ts';
import { addRange, type Ranges } from './ranges.ts';

const entriesInPage = 500;

/** What an inbox holds of one conversation. */
export type Held = { entries: number; seqs: number[]; gaps: Ranges };

export type InboxContent = {
  /** The line of its shard's slot in which it was last written. */
  line: string | null;
  /** The loss after which the user's conversations have come from history. */
  loadedFor: string | null;
  head: number;
  /** The number of entries that the user's hash names. */
  count: number;
  entries: number;
  /** Nothing was appended or cut while it was read, so numbers can be compared. */
  stoodStill: boolean;
  states: Map<string, ConversationState & { held: number | null }>;
  larges: Set<string>;
  held: Map<string, Held>;
  /** Positions of entries and of gaps. */
  positions: Ranges;
  highest: number;
  devices: { device: string; position: number }[];
  /** Entries that are no messages, or stand before one with a lower seq of the same conversation. */
  disorder: string[];
  /** What is wrong with what amendments have laid over its messages. */
  overlays: string[];
};

/**
 * Reads an inbox in pages, without its texts. The head is read first and the gaps last. So an entry that is cut
 * meanwhile is found in a gap, and one that is appended meanwhile lies above the head and is left out.
 */
export async function readInbox(redis: Redis, keys: Keys, user: string): Promise<InboxContent> {
  const fields = await redis.hgetall(keys.user(user));
  const head = Number(fields['head'] ?? 0);
  const held = new Map<string, Held>();
  const heldOf = (conversation: string): Held => {
    let one = held.get(conversation);
    if (one === undefined) held.set(conversation, (one = { entries: 0, seqs: [], gaps: [] }));
    return one;
  };
  const positions: Ranges = [];
  const amendments: HeldAmendment[] = [];
  const disorder: string[] = [];
  let [entries, highest] = [0, 0];

  for (let from = '-'; ;) {
    const page = await redis.xrange(keys.inbox(user), from, '+', 'COUNT', entriesInPage);
    for (const [id, [name = '', text = '']] of page) {
      const position = Number(id.slice(0, id.indexOf('-')));
      highest = Math.max(highest, position);
      entries += 1;
      addRange(positions, position, position);
      try {
        const { conversation, seq } = readHead(text);
        const one = heldOf(conversation);
        if (seq <= (one.seqs.at(-1) ?? 0)) disorder.push(`position ${position}: seq ${seq} of ${conversation}`);
        one.entries += 1;
        one.seqs.push(seq);
        if (/^2(?: |$)/.test(name)) amendments.push({ conversation, seq, position, target: targetOf(text)! });
      } catch {
        disorder.push(`position ${position}: no message`);
      }
    }
    if (page.length < entriesInPage) break;
    from = `(${page.at(-1)![0]}`;
  }

  for (const [conversation, records] of Object.entries(await redis.hgetall(keys.gaps(user)))) {
    const { gaps } = heldOf(conversation);
    for (const record of records.split(';')) {
      const [fromSeq, toSeq, first, last] = record.split(':').map(Number) as [number, number, number, number];
      addRange(gaps, fromSeq, toSeq);
      addRange(positions, first, last);
      highest = Math.max(highest, last);
    }
  }

  const devices = Object.entries(await redis.hgetall(keys.devices(user))).map(([device, value]) => ({
    device,
    position: Number(/^\d+/.exec(value)?.[0] ?? 0),
  }));
  const overlays = await wrongOverlays(redis, keys, user, amendments);
  const [headNow, countNow] = await redis.hmget(keys.user(user), 'head', 'count');
  const states: InboxContent['states'] = new Map();
  for (const [field, value] of Object.entries(fields)) {
    if (!field.startsWith('c:')) continue;
    const conversation = field.slice(2);
    const words = value.split(' ');
    const state = readState(conversation, value, fields[`q:${conversation}`], fields[`s:${conversation}`]);
    states.set(conversation, { ...state, held: words[6] === undefined ? null : Number(words[6]) });
  }
  return {
    line: fields['epoch'] ?? null,
    loadedFor: fields['loaded'] ?? null,
    head,
    count: Number(fields['count'] ?? 0),
    entries,
    stoodStill: (headNow ?? '0') === (fields['head'] ?? '0') && (countNow ?? '0') === (fields['count'] ?? '0'),
    states,
    larges: new Set(readLarges(fields['larges'] ?? '')),
    held,
    positions,
    highest,
    devices,
    disorder,
    overlays,
  };
}
