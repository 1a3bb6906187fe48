import type { ConversationInfo } from '../client/api.ts';
import type { Inside } from '../client/inside.ts';
import { Refusal } from '../refusal.ts';
import { newRow } from '../storage/row.ts';
import type { ConversationRow } from '../storage/storage.ts';
import { infoOf } from './info.ts';
import type { Attached, OneConversation, OwnConversation } from './own-conversation.ts';
import { createStore } from './store.ts';

/** How long what the user writes goes first after something was written. */
const focusMs = 30_000;

/** A conversation: what it is, who looks at it, and what is said in it. `attach` adds what parts of the client do. */
export function createConversation(
  inside: Inside,
  id: string,
  peer: string | undefined,
  attach: (one: OneConversation) => Attached[],
): OwnConversation {
  const { writer, acts, outbox, clock, connection, conversations, prefetching, meter, fault } = inside;
  const ofPeer = peer === undefined ? {} : { peer };
  let row: ConversationRow = { ...newRow(id, null), ...ofPeer };
  let looking = 0;
  let writtenAt = Number.NEGATIVE_INFINITY;
  const target = (): ReturnType<typeof conversations.target> => conversations.target(id);

  const info = createStore<ConversationInfo>(() => infoOf(row), fault);
  const load = async (): Promise<void> => {
    row = { ...(await writer.row(id)), ...ofPeer };
    info.invalidate();
  };
  const known = load().catch((error: unknown) => fault(error as Error, 'storage'));

  const attached = attach({
    id,
    get row() {
      return row;
    },
    get isOpen() {
      return looking > 0;
    },
    path: `/conversations/${encodeURIComponent(id)}`,
    target,
    known: () => known,
  });

  const newest = async (): Promise<void> => {
    await known;
    if (row.lastSeq === 0) await acts.history(id, target(), { limit: meter.pace.historyItems });
    else await acts.fillNewest(id);
  };
  const update = attached.find((one) => one.update !== undefined)?.update ?? ((read: () => Promise<void>) => read());
  /** What fails here is tried again with the next connection. */
  const refresh = (): void =>
    void (looking > 0 && update(newest).catch((error: unknown) => fault(error as Error, 'history')));

  const looked = (): void => {
    outbox.pump();
    inside.tabs?.look(conversations.all().flatMap((one) => (one.isOpen ? [one.id] : [])));
  };

  const self: OwnConversation = {
    id,
    info,
    get isOpen() {
      return looking > 0;
    },
    get isFocused() {
      return looking > 0 && clock.now() - writtenAt < focusMs;
    },
    open() {
      let isOpen = true;
      looking++;
      for (const { opened } of attached) opened?.();
      prefetching?.opened(id);
      looked();
      if (connection.current.status.state === 'connected') {
        // A conversation that is not there yet has no number.
        acts.askReads(id).catch((error: unknown) => void (error instanceof Refusal || fault(error as Error, 'reads')));
        refresh();
      }
      const close = (): void => {
        if (!isOpen) return;
        isOpen = false;
        looking--;
        looked();
      };
      return { close, [Symbol.dispose]: close };
    },
    send(body, options = {}) {
      writtenAt = clock.now();
      const to = row.peer === undefined ? {} : { to: row.peer };
      return outbox.add({ ...options, type: 'send', lane: id, body, ...to });
    },
    amend: (seq, change, options = {}) =>
      outbox.add({
        ...options,
        type: 'amend',
        lane: id,
        body: change.action === 'edit' ? change.body : undefined,
        target: { seq, action: change.action },
      }),
    read: async (seq = row.lastSeq) => (seq > 0 ? acts.read(id, target(), seq) : undefined),
    typing() {
      writtenAt = clock.now();
      if (connection.has('typing') && (connection.follows || meter.pace.typing))
        void acts.tell({ type: 'typing', conversation: id });
    },
    changed(next, messages) {
      row = next;
      for (const { changed } of attached) changed?.(messages);
      info.invalidate();
    },
    outboxChanged() {
      for (const { outboxChanged } of attached) outboxChanged?.();
    },
    refresh,
  };
  return Object.assign(self, ...attached.map(({ methods }) => methods)) as OwnConversation;
}
