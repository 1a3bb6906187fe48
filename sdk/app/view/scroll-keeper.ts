import type { Chat } from '../state/chat.ts';

/** How far the last line is below what is seen (px). */
export const distanceToEnd = ({ scrollHeight, scrollTop, clientHeight }: HTMLElement): number =>
  scrollHeight - scrollTop - clientHeight;

/** Closer than this to an end (px), more is brought. */
export const nearPx = 400;

/**
 * The first row that is seen, and how far its lower edge is below the upper edge of what is seen (px). The lower one,
 * because the day, a line or a name above its text goes to an earlier row when that is loaded.
 */
type Anchor = { key: string; bottom: number };

const rowsIn = (place: HTMLElement): HTMLElement[] => [...place.querySelectorAll<HTMLElement>('li[data-key]')];
const upperEdge = (place: HTMLElement): number => place.getBoundingClientRect().top;
const bottomOf = (row: HTMLElement, place: HTMLElement): number =>
  row.getBoundingClientRect().bottom - upperEdge(place);

function anchorIn(place: HTMLElement): Anchor | null {
  const row = rowsIn(place).find((one) => bottomOf(one, place) > 0);
  return row === undefined ? null : { key: row.dataset['key']!, bottom: bottomOf(row, place) };
}

/**
 * Keeps the reader's place while rows come and go: at the newest message, or at the row that is seen. Browsers that
 * anchor by themselves do it differently from each other, and none of them at the very top.
 */
export function createScrollKeeper(screen: HTMLElement) {
  /** The conversation whose place was found: at its first unread message, or at its end. */
  let placed: string | null = null;
  let following: Chat | null = null;
  const find = (): HTMLElement | null => screen.querySelector<HTMLElement>('.messages');

  const toEnd = (place: HTMLElement): void => void (place.scrollTop = place.scrollHeight);
  const resized = new ResizeObserver(() => {
    const place = find();
    if (place !== null && following?.atEnd === true) toEnd(place);
  });
  let observed: HTMLElement | null = null;

  const enter = (place: HTMLElement, chat: Chat): void => {
    const line = place.querySelector<HTMLElement>('.new-line');
    if (line === null) toEnd(place);
    else place.scrollTop += line.getBoundingClientRect().top - upperEdge(place) - place.clientHeight / 4;
    chat.scrolled(distanceToEnd(place) < 40);
  };

  const restore = (place: HTMLElement, chat: Chat, before: Anchor | null): void => {
    if (observed !== place) {
      resized.disconnect();
      resized.observe(place);
      observed = place;
    }
    const sought = chat.target === null ? null : place.querySelector<HTMLElement>(`[data-seq="${chat.target}"]`);
    const { id } = chat.conversation;
    if (sought !== null) {
      sought.scrollIntoView({ block: 'center' });
      sought.classList.add('sought');
      placed = id;
      chat.reached();
    } else if (placed !== id) {
      if (chat.rows.length === 0) return;
      placed = id;
      enter(place, chat);
    } else if (chat.atEnd) toEnd(place);
    else if (before !== null) {
      const row = rowsIn(place).find((one) => one.dataset['key'] === before.key);
      if (row !== undefined) place.scrollTop += bottomOf(row, place) - before.bottom;
    }
  };

  /** At the very end nothing scrolls, so no event says that the reader is there. */
  const fill = (place: HTMLElement, chat: Chat): void => {
    if (place.scrollTop < nearPx) chat.fillAbove();
    else if (distanceToEnd(place) < nearPx) chat.down();
  };

  return {
    /** Draws, and puts the reader back to where they were. */
    around(draw: () => void, chat: () => Chat | null): void {
      const place = find();
      const shown = place?.dataset['conversation'];
      const before = place === null ? null : anchorIn(place);
      draw();
      following = chat();
      const drawn = find();
      if (following === null) placed = null;
      else if (drawn !== null) {
        restore(drawn, following, shown === following.conversation.id ? before : null);
        fill(drawn, following);
      }
    },
  };
}
