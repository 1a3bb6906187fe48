import type { Judged } from './judge.ts';

/** What `npm run chaos` prints: a row for each run, what was wrong in it, and one line of JSON at the end. */

export type Row = Judged & {
  fault: string;
  seed: number;
  /** The longest of the measured moments; null if the fault measures none. */
  unavailableMs: number | null;
  drainedMs: number;
};

const none: Judged['counts'] = {
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

/** The row of a run that could not be carried to its end, so that nothing could be checked. */
export const failedRow = (fault: string, seed: number, error: Error): Row => ({
  fault,
  seed,
  counts: none,
  found: [
    {
      invariant: 'runner',
      says: 'a run comes to its end',
      count: 1,
      examples: [{ text: error.message, evidence: (error.stack ?? '').split('\n').slice(1, 5) }],
    },
  ],
  total: 1,
  unavailableMs: null,
  drainedMs: 0,
});

export type Skipped = { fault: string; seed: number; skipped: string };

const columns = [
  ['fault', 10],
  ['seed', 5],
  ['accepted', 8],
  ['lost', 5],
  ['dup', 5],
  ['reord', 5],
  ['leaked', 6],
  ['old', 4],
  ['alarms', 6],
  ['unknown', 7],
  ['away ms', 8],
  ['drain ms', 8],
] as const;

const line = (cells: readonly (string | number)[]): string =>
  cells
    .map((cell, index) =>
      index === 0 ? String(cell).padEnd(columns[0][1]) : String(cell).padStart(columns[index]?.[1] ?? 0),
    )
    .join('  ');

export const tableHead = (): string => `${line(columns.map(([name]) => name))}  result`;

export function tableRow(row: Row | Skipped): string {
  if ('skipped' in row) return `${row.fault.padEnd(columns[0][1])}  skipped: ${row.skipped}`;
  const { fault, seed, counts, total, unavailableMs, drainedMs } = row;
  const { accepted, lost, duplicated, reordered, leaked, resurfaced, falseAlarms, unknown } = counts;
  const cells = [fault, seed, accepted, lost, duplicated, reordered, leaked, resurfaced, falseAlarms, unknown];
  return `${line([...cells, unavailableMs ?? '-', drainedMs])}  ${total === 0 ? 'ok' : `${total} VIOLATIONS`}`;
}

const textLength = 600;

/** What was wrong, with the lines of the recording that show it. */
export const violationLines = ({ fault, seed, found }: Row): string[] =>
  found.flatMap(({ invariant, says, count, examples }) => [
    `  ${fault} seed ${seed}: ${invariant} (${says}) is broken ${count} times`,
    ...examples.flatMap(({ text, evidence }) => [
      `    ${text.slice(0, textLength)}`,
      ...evidence.map((one) => `      ${one}`),
    ]),
  ]);

export type Head = { seed: number; commit: string; on: string; store: string; level: string; mode: string };

/** The last line of stdout. */
export function summary(
  head: Head,
  rows: readonly (Row | Skipped)[],
): { violations: number; [field: string]: unknown } {
  const ran = rows.filter((row): row is Row => !('skipped' in row));
  return {
    ...head,
    faults: ran.map((row) => ({
      name: row.fault,
      seed: row.seed,
      acked: row.counts.accepted,
      lost: row.counts.lost,
      duplicated: row.counts.duplicated,
      reordered: row.counts.reordered,
      leaked: row.counts.leaked,
      amended: row.counts.amended,
      resurfaced: row.counts.resurfaced,
      false_alarms: row.counts.falseAlarms,
      unknown: row.counts.unknown,
      delivered: row.counts.delivered,
      epoch_changes: row.counts.epochChanges,
      unavailable_ms: row.unavailableMs,
      drained_ms: row.drainedMs,
      violations: row.total,
    })),
    skipped: rows.flatMap((row) => ('skipped' in row ? [{ name: row.fault, why: row.skipped }] : [])),
    violations: ran.reduce((sum, { total }) => sum + total, 0),
  };
}
