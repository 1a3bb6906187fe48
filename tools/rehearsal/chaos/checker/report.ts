/** The invariants by the names of the project's list; what each says is in `check.ts`. */
export type Invariant =
  | 'I1'
  | 'I2'
  | 'I3'
  | 'I4'
  | 'I5'
  | 'I6'
  | 'I7'
  | 'I8'
  | 'I9'
  | 'I10'
  | 'I11'
  | 'I12'
  | 'I13'
  | 'I14'
  | 'I15'
  | 'I16'
  | 'I17'
  | 'I20'
  | 'I21'
  | 'I22'
  | 'I23'
  | 'I24';

export type Violation = {
  invariant: Invariant;
  text: string;
  /** Lines of the recording, from 1. */
  evidence: number[];
};

export type Counts = {
  /** Messages with at least one `accepted`. */
  accepted: number;
  /** Attempts whose outcome nobody learned. */
  unknown: number;
  /** Items that devices were given for the first time. */
  delivered: number;
  /** Items that a device had already: allowed, but counted. */
  redelivered: number;
  /** Accepted and nowhere at the end, or missing on a device that was not told. */
  lost: number;
  /** Stored twice, or given twice to a device as two things. */
  duplicated: number;
  reordered: number;
  leaked: number;
  /** Amendments with at least one `amended`. */
  amended: number;
  /** Old bodies that were seen after their amendment. */
  resurfaced: number;
  gaps: number;
  epochChanges: number;
  falseAlarms: number;
};

/** One broken promise can show a thousand times; of each invariant this many are told, the rest is counted. */
const toldOfEach = 20;

export type Report = {
  readonly counts: Counts;
  violation(invariant: Invariant, text: string, ...evidence: (number | null | undefined)[]): void;
};

export function createReport() {
  const violations: Violation[] = [];
  const found = new Map<Invariant, number>();
  const counts: Counts = {
    accepted: 0,
    unknown: 0,
    delivered: 0,
    redelivered: 0,
    lost: 0,
    duplicated: 0,
    reordered: 0,
    leaked: 0,
    amended: 0,
    resurfaced: 0,
    gaps: 0,
    epochChanges: 0,
    falseAlarms: 0,
  };
  const report: Report = {
    counts,
    violation(invariant, text, ...evidence) {
      const before = found.get(invariant) ?? 0;
      found.set(invariant, before + 1);
      if (before >= toldOfEach) return;
      const lines = evidence.filter((line) => typeof line === 'number');
      violations.push({ invariant, text, evidence: [...new Set(lines)].sort((a, b) => a - b) });
    },
  };
  return { report, violations, found };
}
