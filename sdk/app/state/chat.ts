import type { Client, Conversation, ShownMessage, ViewItem } from '../../src/entries/client.ts';
import { textOf } from '../model/body.ts';
import { aroundRow, atNewest, hasAbove, keptInSight, movedDown, movedUp, type RowWindow } from '../model/row-window.ts';
import { rowsOf, type Row } from '../model/rows.ts';

/** The conversation that is open: which rows are in the page, and what is done with one of them. */
export type Chat = {
  readonly conversation: Conversation;
  readonly rows: readonly Row[];
  readonly window: RowWindow;
  /** Whether the reader is at the newest message, and how many came since not. */
  readonly atEnd: boolean;
  readonly missed: number;
  /** The message whose text is in the composer, and what it is changed to. */
  readonly editing: ShownMessage | null;
  readonly editText: string;
  /** The row whose menu is open. */
  readonly menu: string | null;
  /** A message that was looked for: it is shown in the middle, once. */
  readonly target: number | null;
  readonly loading: boolean;
  edit(message: ShownMessage | null): void;
  writeEdit(text: string): void;
  showMenu(key: string | null): void;
  /** The reader has scrolled. */
  scrolled(atEnd: boolean): void;
  /** The reader is near the upper end: rows that the page leaves out, then those that are not loaded. */
  up(): void;
  /**
   * The same without a wish of the reader, who stands at the upper end, where nothing scrolls. It asks the server once
   * for each first row: what fails is not tried on and on.
   */
  fillAbove(): void;
  down(): void;
  toNewest(): void;
  goTo(seq: number): Promise<void>;
  reached(): void;
  load(hole: { fromSeq: number; toSeq: number }): void;
  close(): void;
};

export type ChatOptions = { client: Client; id: string; changed(): void; fault(error: unknown): void };

/** Before this many older messages are read at a time. */
const pageItems = 50;

export function createChat({ client, id, changed, fault }: ChatOptions): Chat {
  const conversation = client.conversation(id);
  const { readSeq, unread } = conversation.info.get();
  let firstNew: number | null = unread > 0 ? readSeq + 1 : null;
  let window = atNewest;
  let atEnd = true;
  let missed = 0;
  let editing: ShownMessage | null = null;
  let editText = '';
  let menu: string | null = null;
  let target: number | null = null;
  let loading = false;
  let filledAbove: string | undefined;
  let items: readonly ViewItem[] = [];
  let rows: readonly Row[] = [];

  const seqOf = (item: ViewItem | undefined): number =>
    item === undefined || 'hole' in item || !('seq' in item) ? 0 : item.seq;

  const refresh = (): void => {
    const next = conversation.messages.get().items;
    if (next === items) return;
    const newest = Math.max(0, ...items.slice(-20).map(seqOf));
    const added = newest === 0 ? 0 : next.filter((item) => seqOf(item) > newest).length;
    items = next;
    if (!atEnd) {
      missed += added;
      window = keptInSight(window, added, rows.length);
    }
    rows = rowsOf(items, client.user ?? '', firstNew);
  };

  const subscription = conversation.messages.subscribe(() => {
    refresh();
    changed();
  });
  const looking = conversation.open();
  refresh();

  const whileLoading = async (work: () => Promise<void>): Promise<void> => {
    if (loading) return;
    loading = true;
    changed();
    try {
      await work();
    } catch (error) {
      fault(error);
    } finally {
      loading = false;
      refresh();
      changed();
    }
  };

  const showAbove = (): void => {
    if (!hasAbove(rows.length, window)) return;
    window = movedUp(rows.length, window);
    changed();
  };

  const up = (): void => {
    if (hasAbove(rows.length, window)) return showAbove();
    if (conversation.messages.get().older !== 'more') return;
    // At the very top nothing scrolls any more: what was loaded must come into the page by itself.
    void whileLoading(() => conversation.older(pageItems)).then(showAbove);
  };

  const markRead = (): void => {
    const info = conversation.info.get();
    const isSeen = atEnd && window.fromEnd === 0 && document.visibilityState === 'visible';
    if (!isSeen || (info.unread === 0 && info.readSeq >= info.lastSeq) || info.lastSeq === 0) return;
    // It is repeated by the client until it is answered, and asked for again by the next message.
    void conversation.read().catch(() => undefined);
  };
  const infoSubscription = conversation.info.subscribe(markRead);
  document.addEventListener('visibilitychange', markRead);
  markRead();

  return {
    conversation,
    get rows() {
      return rows;
    },
    get window() {
      return window;
    },
    get atEnd() {
      return atEnd;
    },
    get missed() {
      return missed;
    },
    get editing() {
      return editing;
    },
    get editText() {
      return editText;
    },
    get menu() {
      return menu;
    },
    get target() {
      return target;
    },
    get loading() {
      return loading;
    },
    edit(message) {
      editing = message;
      editText = (message === null ? null : textOf(message.body)) ?? '';
      menu = null;
      changed();
    },
    writeEdit: (text) => void (editText = text),
    showMenu(key) {
      if (menu === key) return;
      menu = key;
      changed();
    },
    scrolled(isAtEnd) {
      if (isAtEnd && window.fromEnd === 0) {
        const news = missed > 0 || !atEnd;
        atEnd = true;
        missed = 0;
        markRead();
        if (news) changed();
      } else if (atEnd) {
        atEnd = false;
        changed();
      }
    },
    up,
    fillAbove() {
      if (hasAbove(rows.length, window)) return showAbove();
      const first = rows[0]?.key;
      if (first === filledAbove || loading || conversation.messages.get().older !== 'more') return;
      filledAbove = first;
      up();
    },
    down() {
      if (window.fromEnd === 0) return;
      window = movedDown(window);
      changed();
    },
    toNewest() {
      window = atNewest;
      atEnd = true;
      missed = 0;
      firstNew = null;
      rows = rowsOf(items, client.user ?? '', firstNew);
      markRead();
      changed();
    },
    async goTo(seq) {
      const at = (): number => rows.findIndex((row) => 'message' in row && seqOf(row.message) === seq);
      if (at() === -1) await whileLoading(() => conversation.around(seq, pageItems));
      const index = at();
      if (index === -1) return;
      atEnd = false;
      window = aroundRow(rows.length, index);
      target = seq;
      changed();
    },
    reached() {
      target = null;
    },
    load: ({ fromSeq, toSeq }) =>
      // The end that is nearer to what was read comes first.
      void whileLoading(() => conversation.around(Math.max(fromSeq, toSeq - pageItems / 2), pageItems)),
    close() {
      subscription();
      infoSubscription();
      document.removeEventListener('visibilitychange', markRead);
      looking.close();
    },
  };
}
