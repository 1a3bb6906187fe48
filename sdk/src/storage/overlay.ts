import { difference, withRange, type Ranges } from '../intake/ranges.ts';
import { memory } from './memory.ts';
import type { Batch, Storage, Stretch } from './storage.ts';

/** A memory over a storage that takes nothing: what is written lies in memory, and reads see both. */
export type Overlay = Pick<Storage, 'write' | 'conversation' | 'list' | 'read' | 'index' | 'outbox'> & {
  /** What lies in memory. */
  readonly top: Storage;
  /** Entries of the outbox that have left. */
  readonly dropped: ReadonlySet<string>;
  /** What leaves the storage below as soon as it takes something again. */
  leaving(): Pick<Batch, 'evict' | 'index'>;
};

const everything = Number.MAX_SAFE_INTEGER;

/** Ranges of conversations. */
function createGone() {
  const all = new Map<string, Ranges>();
  return {
    add(stretches: Stretch[] = []): void {
      for (const one of stretches) all.set(one.conversation, withRange(all.get(one.conversation) ?? [], one));
    },
    of: (conversation: string): Ranges => all.get(conversation) ?? [],
    list: (): Stretch[] =>
      [...all].flatMap(([conversation, ranges]) => ranges.map((range) => ({ conversation, ...range }))),
  };
}

export function createOverlay(below: Storage): Overlay {
  const top = memory();
  const gone = createGone();
  const goneLines = createGone();
  const dropped = new Set<string>();

  /** Rows by seq: those of memory in place of those below. */
  const joined = <Row extends { seq: number }>(upper: Row[], lower: Row[]): Row[] => {
    const here = new Set(upper.map(({ seq }) => seq));
    return [...upper, ...lower.filter(({ seq }) => !here.has(seq))].toSorted((one, other) => one.seq - other.seq);
  };

  return {
    top,
    dropped,
    leaving: () => ({ evict: gone.list(), index: { drop: goneLines.list() } }),
    async write(batch) {
      await top.write(batch);
      gone.add(batch.evict);
      goneLines.add(batch.index?.drop);
      for (const clientId of batch.outbox?.drop ?? []) dropped.add(clientId);
      for (const { clientId } of batch.outbox?.put ?? []) dropped.delete(clientId);
    },
    conversation: async (id) => (await top.conversation(id)) ?? below.conversation(id),
    async list(n) {
      const upper = await top.list(everything);
      const here = new Set(upper.map(({ id }) => id));
      const lower = await below.list(n + here.size);
      const all = [...upper, ...lower.filter(({ id }) => !here.has(id))];
      return all.toSorted((one, other) => other.at - one.at).slice(0, n);
    },
    async read(conversation, fromSeq, toSeq, limit, newest) {
      const upper = await top.read(conversation, fromSeq, toSeq, limit, newest);
      const parts = difference([{ fromSeq, toSeq }], gone.of(conversation));
      const lower = await Promise.all(
        parts.map((part) => below.read(conversation, part.fromSeq, part.toSeq, limit, newest)),
      );
      const all = joined(upper, lower.flat());
      return newest === true ? all.slice(-limit) : all.slice(0, limit);
    },
    async index(conversation, fromSeq, toSeq, limit) {
      const upper = await top.index(conversation, fromSeq, toSeq, limit);
      const parts = difference([{ fromSeq, toSeq }], goneLines.of(conversation));
      const lower = await Promise.all(parts.map((part) => below.index(conversation, part.fromSeq, part.toSeq, limit)));
      return joined(upper, lower.flat()).slice(-limit);
    },
    async outbox() {
      const upper = await top.outbox();
      const here = new Set([...dropped, ...upper.map(({ clientId }) => clientId)]);
      const lower = (await below.outbox()).filter(({ clientId }) => !here.has(clientId));
      return [...upper, ...lower].toSorted((one, other) => one.order - other.order);
    },
  };
}
