import type { Hole, PendingMessage, ShownMessage, ViewItem } from '../../src/entries/client.ts';
import { startOfDay } from '../words/formats.ts';
import { membershipKind } from './body.ts';

/** One line of a conversation as it is drawn. */
export type Row = {
  key: string;
  /** The first of its day. */
  day: number | null;
  /** The line "new messages" stands above it. */
  isFirstNew: boolean;
} & ({ hole: Hole } | { note: ShownMessage } | BubbleRow);

export type BubbleRow = {
  message: ShownMessage | PendingMessage;
  isMine: boolean;
  /** It begins or ends what one user says in a few minutes: the first has the name, the last the tail. */
  begins: boolean;
  ends: boolean;
};

const togetherMs = 5 * 60_000;

type Bubble = ShownMessage | PendingMessage;

/** An amended or received message keeps its row: a pending one becomes the accepted one of its clientId. */
const keyOf = (item: ViewItem): string =>
  'hole' in item ? `hole ${item.hole.fromSeq}` : `${item.sender} ${item.clientId}`;

const isNote = (item: ViewItem): item is ShownMessage => !('hole' in item) && item.kind === membershipKind;

function together(one: ViewItem | undefined, other: ViewItem | undefined): boolean {
  if (one === undefined || other === undefined || 'hole' in one || 'hole' in other) return false;
  if (isNote(one) || isNote(other) || one.sender !== other.sender) return false;
  return Math.abs(other.at - one.at) < togetherMs && startOfDay(one.at) === startOfDay(other.at);
}

/** `firstNew`: the seq of the first message that was unread when the conversation was opened. */
export function rowsOf(items: readonly ViewItem[], user: string, firstNew: number | null): Row[] {
  let day = 0;
  let newShown = firstNew === null;
  return items.map((item, index) => {
    const key = keyOf(item);
    if ('hole' in item) return { key, day: null, isFirstNew: false, hole: item };
    const ofDay = startOfDay(item.at);
    const isNewDay = ofDay !== day;
    day = ofDay;
    const isFirstNew = !newShown && 'seq' in item && item.seq >= firstNew!;
    if (isFirstNew) newShown = true;
    const head = { key, day: isNewDay ? ofDay : null, isFirstNew };
    if (isNote(item)) return { ...head, note: item };
    const message: Bubble = item;
    return {
      ...head,
      message,
      isMine: message.sender === user,
      begins: isFirstNew || !together(items[index - 1], item),
      ends: !together(item, items[index + 1]),
    };
  });
}
