import { type GateRows, mustNameSlots, type ProcessRow, type SlotRow } from '../gate-rows.ts';
import type { Statements } from './database.ts';

export function createGateRows({ read, write, row, rows, transaction }: Statements): GateRows {
  return {
    async enlist(process) {
      transaction(() => write.process.run(process));
    },

    async enlisted() {
      return rows<ProcessRow>(read.processes);
    },

    async slots() {
      const stored = rows<SlotRow & { slot: string }>(read.slots);
      return new Map(stored.map(({ slot, ...known }) => [slot, known]));
    },

    async beginOpening(slots) {
      mustNameSlots(slots);
      return transaction(() => {
        const { gate } = row<{ gate: number }>(read.nextGate) ?? { gate: 1 };
        for (const slot of slots) write.gate.run(slot, gate);
        return gate;
      });
    },

    async dismiss(ids, marks) {
      transaction(() => {
        for (const [slot, mark] of marks) write.mark.run(slot, mark);
        for (const id of ids) write.dropProcess.run(id);
      });
    },

    async dismissSilent(enlistments, marks) {
      transaction(() => {
        for (const [slot, mark] of marks) write.mark.run(slot, mark);
        for (const { id, since } of enlistments) write.dropEnlistment.run({ id, since });
      });
    },
  };
}
