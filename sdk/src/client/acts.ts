import type { HistoryQuery } from '../intake/history-reading.ts';
import type { Intake } from '../intake/intake.ts';
import type { Reads } from '../intake/reads.ts';
import type { OutboxEntry } from '../outbox/entry.ts';
import type { Outbox } from '../outbox/outbox.ts';
import type { Writer } from '../storage/writer.ts';
import type { Frame, SeqRange, Target } from '../wire.ts';

/**
 * What changes the storage or asks the server, on behalf of an application. Of the tabs of a browser only the one that
 * leads does it: so what is given and answered can be copied from one tab to another.
 */
export type Acts = {
  history(id: string, target: Target, query: HistoryQuery): Promise<void>;
  fill(id: string, target: Target, range: SeqRange): Promise<void>;
  fillNewest(id: string): Promise<void>;
  read(id: string, target: Target, seq: number): Promise<void>;
  askReads(...ids: string[]): Promise<void>;
  /** What the application knows of a conversation before the server tells. */
  describe(id: string, known: { peer?: string; name?: string | null }): Promise<void>;
  /** An entry of the outbox that another tab has stored. */
  enqueue(entry: OutboxEntry): Promise<void>;
  retry(clientId: string): Promise<void>;
  /** Takes a failed entry away. */
  cancel(clientId: string): Promise<void>;
  /** A request that may be repeated without harm. */
  insist(frame: Frame): Promise<Frame>;
  /** A request, once. */
  ask(frame: Frame): Promise<Frame>;
  /** A frame without an answer. */
  tell(frame: Frame): Promise<void>;
};

export type ActsOptions = {
  writer: Writer;
  intake: Pick<Intake, 'history' | 'fillNewest'>;
  reads: Reads;
  outbox: Pick<Outbox, 'load' | 'handle'>;
  insist(frame: () => Frame): Promise<Frame>;
  link: { ask(frame: Frame): Promise<Frame>; tell(frame: Frame): boolean };
};

export const createActs = ({ writer, intake, reads, outbox, insist, link }: ActsOptions): Acts => ({
  history: async (id, target, query) => void (await intake.history.read(id, target, query)),
  fill: (id, target, range) => intake.history.fill(id, target, range),
  fillNewest: (id) => intake.fillNewest(id),
  read: (id, target, seq) => reads.read(id, target, seq),
  askReads: (...ids) => reads.ask(...ids),
  describe: async (id, known) =>
    writer.change({
      run: async (transaction) => transaction.setRow({ ...(await transaction.row(id)), ...known }),
    }),
  enqueue: async (entry) => outbox.load([entry]),
  retry: async (clientId) => void outbox.handle(clientId)?.retry(),
  cancel: async (clientId) => void outbox.handle(clientId)?.cancel(),
  insist: (frame) => insist(() => frame),
  ask: (frame) => link.ask(frame),
  tell: async (frame) => void link.tell(frame),
});
