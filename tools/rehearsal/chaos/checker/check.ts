import type { Recorded } from '../recording.ts';
import { checkAmendedTexts, checkAmendments, checkAmends } from './amendments.ts';
import { checkCompleteness, checkDeviceOrder, checkOwnHistory } from './devices.ts';
import { checkBounds, checkDeadLetters, checkLiveness } from './ending.ts';
import { checkAlarms, checkResets } from './epochs.ts';
import type { Facts } from './facts.ts';
import { gather } from './gather.ts';
import { checkMembership } from './membership.ts';
import { checkContents, checkDensity, checkIds } from './numbers.ts';
import { checkOrder } from './order.ts';
import { checkOrigins } from './origins.ts';
import { checkPositions } from './positions.ts';
import { checkRepeats } from './repeats.ts';
import { createReport, type Counts, type Invariant, type Report, type Violation } from './report.ts';
import { checkSends } from './sends.ts';
import { checkStoredPositions } from './stored-positions.ts';
import { truthOf, type Truth } from './truth.ts';
import { checkUnread } from './unread.ts';

/** What each invariant says. */
export const invariants: Record<Invariant, string> = {
  I1: 'what was accepted is stored, exactly once',
  I2: 'seqs are dense, but for what a loss skipped',
  I3: 'nothing is seen that nobody sent, or that was refused',
  I4: 'the same send always has the same answer',
  I5: 'a message is the same on every path, and what was sent',
  I6: 'who sends after an answer gets a higher seq',
  I7: 'each device gets exactly what its user may see, by rising seq',
  I8: 'what was received does not come again',
  I9: 'nobody sees what is not of their membership',
  I10: 'a device alone moves its position, and only forward',
  I11: 'what an inbox does not hold is told by a gap, and history has it',
  I12: 'after the faults everything arrives',
  I13: 'unread is what is above the read seq',
  I14: 'an amended body does not come back',
  I15: 'a client of another epoch is told, and no other',
  I16: 'each poison is one dead letter',
  I17: 'what a run takes it gives back',
  I20: 'no seq and no id is given twice, in any epoch',
  I21: 'a position names one message within an epoch',
  I22: 'what was lost, its sender was told of',
  I23: 'a message is as durable as its answer said',
  I24: 'the epoch changes only with a cause',
};

const checks: readonly ((facts: Facts, truth: Truth, report: Report) => void)[] = [
  checkSends,
  checkOrigins,
  checkOrder,
  checkDensity,
  checkIds,
  checkContents,
  checkRepeats,
  checkMembership,
  checkOwnHistory,
  checkResets,
  checkAlarms,
  checkUnread,
  checkAmends,
  checkAmendments,
  checkAmendedTexts,
  checkLiveness,
  checkDeadLetters,
  checkBounds,
];

export type Verdict = {
  counts: Counts;
  /** Of each invariant the first ones, in the order of the list above. */
  violations: Violation[];
  /** How many there are in all, by invariant. */
  found: Partial<Record<Invariant, number>>;
  total: number;
};

/**
 * Judges a recording by itself. Pure: the same recording has the same verdict. Time grows as n log n with the number of
 * events, since a seq is the witness of its order and no orders need to be searched.
 */
export function check(events: Iterable<Recorded>): Verdict {
  const facts = gather(events);
  const truth = truthOf(facts);
  const { report, violations, found } = createReport();
  for (const one of checks) one(facts, truth, report);
  const inboxes = checkPositions(facts, report);
  checkStoredPositions(facts, inboxes, report);
  checkDeviceOrder(facts, report);
  checkCompleteness(facts, truth, inboxes, report);
  report.counts.gaps = facts.gaps.length;
  const names = Object.keys(invariants) as Invariant[];
  return {
    counts: report.counts,
    violations: violations.sort((a, b) => names.indexOf(a.invariant) - names.indexOf(b.invariant)),
    found: Object.fromEntries(found),
    total: [...found.values()].reduce((sum, count) => sum + count, 0),
  };
}
