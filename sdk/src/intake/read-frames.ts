import type { Gap, HistoryPage, InboxPage, Item, Message, SeqRange } from '../wire.ts';

/** Frames as they can be relied on: what is broken in them is left out and reported, the rest counts. */

type Fault = (error: Error, where: string) => void;

const isSeq = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;
const isRange = (value: SeqRange): boolean =>
  isSeq(value.fromSeq) && isSeq(value.toSeq) && value.fromSeq <= value.toSeq;
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

export function readMessage(value: unknown): Message | null {
  if (!isObject(value)) return null;
  const { id, conversation, seq, sender } = value as Partial<Message>;
  const known = typeof id === 'string' && typeof conversation === 'string' && typeof sender === 'string' && isSeq(seq);
  return known ? (value as Message) : null;
}

export function readItems(value: unknown, fault: Fault): Item[] {
  return listOf(value).filter((one): one is Item => {
    const { message, position } = isObject(one) ? (one as Partial<Item>) : {};
    const known = readMessage(message) !== null && (position === undefined || isSeq(position));
    if (!known) fault(new Error('an item without a message that can be read'), 'frame');
    return known;
  });
}

export function readGaps(value: unknown, fault: Fault): Gap[] {
  return listOf(value).flatMap((one) => {
    const gap = one as Gap;
    if (isObject(one) && isSeq(gap.position) && typeof gap.conversation === 'string' && isRange(gap)) return [gap];
    fault(new Error('a gap that can not be read'), 'frame');
    return [];
  });
}

export type Entry = { at: number | undefined } & ({ item: Item } | { gap: Gap });

/** Items and gaps in one rising order of position: a gap before the item at its own position. */
export function inOrder({ items, gaps }: { items: Item[]; gaps: Gap[] }): Entry[] {
  let reached = 0;
  const placed = items.map((item) => ({ at: item.position, order: (reached = item.position ?? reached), item }));
  const announced = gaps.map((gap) => ({ at: gap.position, order: gap.position - 0.5, gap }));
  const all = gaps.length === 0 ? placed : [...announced, ...placed];
  return all.length < 2 ? all : all.sort((one, other) => one.order - other.order);
}

export function readPage(frame: object, fault: Fault): Pick<InboxPage, 'items' | 'gaps' | 'next' | 'more'> {
  const page = frame as Partial<InboxPage>;
  return {
    items: readItems(page.items, fault),
    gaps: readGaps(page.gaps, fault),
    next: Number.isSafeInteger(page.next) ? page.next! : 0,
    more: page.more === true,
  };
}

/** A page of history of this conversation, without what lies outside the range that was asked for. */
export function readHistory(frame: object, conversation: string, within: SeqRange, fault: Fault): HistoryPage {
  const page = frame as Partial<HistoryPage>;
  const messages = listOf(page.messages).flatMap((one) => {
    const message = readMessage(one);
    const asked =
      message?.conversation === conversation && within.fromSeq <= message.seq && message.seq <= within.toSeq;
    if (!asked) fault(new Error('history gave a message that was not asked for'), 'frame');
    return asked ? [message] : [];
  });
  const absent = (listOf(page.absent) as SeqRange[]).filter((one) => isObject(one) && isRange(one));
  return { conversation, messages, absent, more: page.more === true };
}
