import { type GateRows, mustNameSlots, type ProcessRow, type SlotRow } from '../gate-rows.ts';
import { type Calls, callMs } from './calls.ts';
import type { Connected, Row } from './connection.ts';

/**
 * All slots are one document, so that one update gives a number and writes it to each of them. `last` is the highest
 * number given. Every number in it only rises: repeating an update is harmless, except that an opening gets another
 * number.
 */
const allSlots = { _id: 'slots' } as const;

type StoredSlots = { slots?: Record<string, Partial<SlotRow>>; last?: number };

const toProcess = ({ _id, ...row }: Row): ProcessRow => ({ id: String(_id), ...row }) as unknown as ProcessRow;

async function raiseMarks({ slots }: Connected, marks: ReadonlyMap<string, number>): Promise<void> {
  if (marks.size === 0) return;
  const raised = Object.fromEntries([...marks].map(([slot, mark]) => [`slots.${slot}.mark`, mark]));
  await slots.updateOne(allSlots, { $max: raised }, { upsert: true });
}

export const createGateRows = ({ call, readBehindBarrier }: Calls): GateRows => ({
  async enlist({ id, ...row }) {
    await call(callMs.write, ({ processes }) => processes.replaceOne({ _id: id }, row, { upsert: true }));
  },

  enlisted: () =>
    readBehindBarrier(async ({ processes }, using) =>
      (await processes.find({}, { sort: { _id: 1 }, ...using() }).toArray()).map(toProcess),
    ),

  slots: () =>
    readBehindBarrier(async ({ slots }, using) => {
      const stored = (await slots.findOne(allSlots, using())) as StoredSlots | null;
      return new Map(
        Object.entries(stored?.slots ?? {}).map(([slot, { gate = 0, mark = 0 }]) => [slot, { gate, mark }]),
      );
    }),

  beginOpening(names) {
    return call(callMs.write, async ({ slots }) => {
      mustNameSlots(names);
      const next = { $set: { last: { $add: [{ $ifNull: ['$last', 0] }, 1] } } };
      const gates = { $set: Object.fromEntries(names.map((slot) => [`slots.${slot}.gate`, '$last'])) };
      const after = await slots.findOneAndUpdate(allSlots, [next, gates], { upsert: true, returnDocument: 'after' });
      const last: unknown = after?.['last'];
      if (typeof last !== 'number') throw new Error('the history gave no number to an opening');
      return last;
    });
  },

  async dismiss(ids, marks) {
    await call(callMs.write, async (open) => {
      await raiseMarks(open, marks);
      if (ids.length > 0) await open.processes.deleteMany({ _id: { $in: [...ids] } });
    });
  },

  async dismissSilent(enlistments, marks) {
    await call(callMs.write, async (open) => {
      await raiseMarks(open, marks);
      const rows = enlistments.map(({ id, since }) => ({ _id: id, since }));
      if (rows.length > 0) await open.processes.deleteMany({ $or: rows });
    });
  },
});
