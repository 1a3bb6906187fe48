import type { Conversation, ConversationInfo } from '../client/api.ts';
import type { Intake } from '../intake/intake.ts';
import { difference, holds, missingIn, sizeOf, union, type Ranges } from '../intake/ranges.ts';
import type { Link } from '../link/api.ts';
import type { Outbox } from '../outbox/outbox.ts';
import type { Clock } from '../platform/clock.ts';
import { Refusal } from '../refusal.ts';
import { newRow } from '../storage/row.ts';
import type { ConversationRow, Storage } from '../storage/storage.ts';
import type { Writer } from '../storage/writer.ts';
import type { Message, SeqRange, Target } from '../wire.ts';
import { makeView, type View } from './message-view.ts';
import { createStore } from './store.ts';
import { streamOf } from './stream.ts';

/** What a conversation needs of its client. */
export type Core = {
  writer: Writer;
  storage: Storage;
  intake: Intake;
  outbox: Outbox;
  link: Link;
  clock: Clock;
  user(): string;
  synced(): boolean;
  has(feature: string): boolean;
  /** How a request names it: direct ones by their user, which works before their first message. */
  target(id: string): Target;
  http(method: string, path: string, body?: unknown): Promise<unknown>;
  /** It was opened or closed. */
  looked(): void;
  fault(error: Error, where: string): void;
};

export type OwnConversation = Conversation & {
  readonly isOpen: boolean;
  changed(row: ConversationRow, messages: Message[]): void;
  outboxChanged(): void;
  /** A connection is there: what somebody looks at is brought up to date. */
  refresh(): void;
  /** The user has read up to here on another device. */
  readElsewhere(seq: number): void;
};

/** Messages in memory of a conversation that nobody looks at, and those that one look brings. */
const newest = 50;
const everything = Number.MAX_SAFE_INTEGER;

export const infoOf = (row: ConversationRow): ConversationInfo => ({
  id: row.id,
  kind: row.id.startsWith('d_') ? 'direct' : 'group',
  name: row.name ?? null,
  ...(row.peer === undefined ? {} : { peer: row.peer }),
  unread: row.unread,
  readSeq: row.readSeq,
  lastSeq: row.lastSeq,
  last: row.last,
});

export function createConversation(core: Core, id: string, peer?: string): OwnConversation {
  const { writer, storage, intake, outbox, link, fault } = core;
  let row: ConversationRow = { ...newRow(id, null), ...(peer === undefined ? {} : { peer }) };
  let loaded = new Map<number, Message>();
  let loading: Ranges = [];
  let looking = 0;
  const waiting: (() => void)[] = [];

  const path = `/conversations/${encodeURIComponent(id)}`;
  const history = (query: { before?: number; after?: number; limit: number }) =>
    intake.history.read(id, core.target(id), query);

  const info = createStore<ConversationInfo>(() => infoOf(row), fault);
  const messages = createStore<View>(
    () =>
      makeView({
        row,
        loaded,
        loading,
        waiting: outbox.waiting(id),
        user: core.user(),
        persisted: storage.persistent,
        synced: core.synced(),
      }),
    fault,
  );

  const take = (all: Message[]): void => {
    for (const message of all) loaded.set(message.seq, message);
    messages.invalidate();
  };

  /** Shows that a range is read while it is. */
  const whileLoading = async (range: SeqRange, read: () => Promise<unknown>): Promise<void> => {
    loading = union(loading, [range]);
    messages.invalidate();
    try {
      await read();
    } finally {
      loading = difference(loading, [range]);
      messages.invalidate();
    }
  };

  const start = async (): Promise<void> => {
    const stored = await writer.row(id);
    row = peer === undefined ? stored : { ...stored, peer };
    take(await storage.read(id, 1, everything, newest, true));
    info.invalidate();
  };
  const started = start().catch((error: unknown) => fault(error as Error, 'storage'));

  const lowest = (): number => (loaded.size === 0 ? row.lastSeq + 1 : Math.min(...loaded.keys()));

  /** Brings the newest messages, and those that are shown and may have been amended since. */
  const update = async (): Promise<void> => {
    await started;
    // A conversation that is not there yet has none.
    await askReads().catch((error: unknown) => (error instanceof Refusal ? undefined : Promise.reject(error as Error)));
    if (row.lastSeq === 0) await history({ limit: newest });
    else await intake.fillNewest(id);
    const shown = row.stale.filter(({ toSeq }) => toSeq >= lowest());
    for (const { toSeq } of shown.toReversed()) {
      if (holds(row.stale, toSeq)) await history({ before: toSeq + 1, limit: newest });
    }
  };
  /** What fails here is tried again with the next connection. */
  const refresh = (): void =>
    void (looking > 0 && update().catch((error: unknown) => fault(error as Error, 'history')));

  const older = async (n = newest): Promise<void> => {
    await started;
    const below = lowest();
    const range = { fromSeq: Math.max(1, below - n), toSeq: below - 1 };
    if (range.toSeq < 1) return;
    const missing = difference(missingIn(range, row.present), row.absent);
    if (sizeOf(missing) > 0) await whileLoading(range, () => history({ before: below, limit: Math.min(n, 100) }));
    take(await storage.read(id, 1, below - 1, n, true));
  };

  const around = async (seq: number, n = newest): Promise<void> => {
    await started;
    const range = {
      fromSeq: Math.max(1, seq - Math.floor(n / 2)),
      toSeq: Math.min(seq + Math.ceil(n / 2), row.lastSeq),
    };
    await whileLoading(range, () => intake.history.fill(id, core.target(id), range));
    take(await storage.read(id, range.fromSeq, range.toSeq, n + 1));
  };

  const setRead = (seq: number): void =>
    writer.change({
      async run(transaction) {
        const before = await transaction.row(id);
        const readSeq = Math.max(before.readSeq, seq);
        transaction.setRow({ ...before, readSeq, unread: readSeq >= before.lastSeq ? 0 : before.unread });
      },
    });

  /** The server's number of unread messages, where it may differ from what was counted here. */
  const askReads = async (): Promise<void> => {
    if (!core.has('reads')) return;
    const answer = await link.insist(() => ({ type: 'reads', conversations: [id] }));
    const [found] = answer['conversations'] as { readSeq: number; unread: number }[];
    if (found === undefined) return;
    writer.change({
      async run(transaction) {
        const before = await transaction.row(id);
        const readSeq = Math.max(before.readSeq, found.readSeq);
        transaction.setRow({ ...before, readSeq, unread: found.unread, countedSeq: before.lastSeq });
      },
    });
  };

  const read = async (seq = row.lastSeq): Promise<void> => {
    if (seq <= 0) return;
    setRead(seq);
    const answer = await link.insist(() => ({ type: 'read', ...core.target(id), seq }));
    setRead(Number(answer['seq']));
    if (seq < row.lastSeq) await askReads();
  };

  return {
    id,
    info,
    messages,
    get isOpen() {
      return looking > 0;
    },
    open() {
      let isOpen = true;
      looking++;
      core.looked();
      if (link.usable) refresh();
      const close = (): void => {
        if (!isOpen) return;
        isOpen = false;
        looking--;
        core.looked();
      };
      return { close, [Symbol.dispose]: close };
    },
    older,
    around,
    send: (body, options = {}) =>
      outbox.add({ ...options, type: 'send', lane: id, body, ...(row.peer === undefined ? {} : { to: row.peer }) }),
    amend: (seq, change, options = {}) =>
      outbox.add({
        ...options,
        type: 'amend',
        lane: id,
        body: change.action === 'edit' ? change.body : undefined,
        target: { seq, action: change.action },
      }),
    read,
    typing: () => void (core.has('typing') && link.tell({ type: 'typing', conversation: id })),
    async members() {
      const all: { user: string; joinedSeq: number }[] = [];
      for (let after = ''; ;) {
        const query = after === '' ? '' : `&after=${encodeURIComponent(after)}`;
        const page = (await core.http('GET', `${path}/members?limit=200${query}`)) as {
          members: typeof all;
          next?: string;
        };
        all.push(...page.members);
        if (page.next === undefined || page.members.length === 0) return all;
        after = page.next;
      }
    },
    add: async (user) => void (await core.http('PUT', `${path}/members/${encodeURIComponent(user)}`)),
    remove: async (user) => void (await core.http('DELETE', `${path}/members/${encodeURIComponent(user)}`)),
    leave: async () => void (await core.http('DELETE', `${path}/members/${encodeURIComponent(core.user())}`)),
    async rename(name) {
      await core.http('PATCH', path, { name });
      writer.change({ run: async (transaction) => transaction.setRow({ ...(await transaction.row(id)), name }) });
    },
    stream: ({ after, signal } = {}) =>
      streamOf({
        id,
        storage,
        clock: core.clock,
        row: () => writer.row(id),
        fill: (range) => intake.history.fill(id, core.target(id), range),
        changed: () => new Promise((resolve) => waiting.push(resolve)),
        after,
        signal,
      }),
    changed(next, changed) {
      row = next;
      const from = lowest();
      take(changed.filter(({ seq }) => seq >= from || loaded.size === 0));
      if (looking === 0 && loaded.size > newest) {
        const kept = [...loaded].toSorted(([one], [other]) => other - one).slice(0, newest);
        loaded = new Map(kept);
      }
      info.invalidate();
      for (const resolve of waiting.splice(0)) resolve();
    },
    outboxChanged: messages.invalidate,
    refresh,
    readElsewhere(seq) {
      setRead(seq);
      if (seq < row.lastSeq) askReads().catch((error: unknown) => fault(error as Error, 'reads'));
    },
  };
}
