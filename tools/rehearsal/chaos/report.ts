/** What `npm run chaos` prints: a row for each run, what was wrong in it, and one line of JSON at the end. */

export type Row = {
  fault: string;
  seed: number;
  acked: number;
  lost: number;
  duplicated: number;
  reordered: number;
  leaked: number;
  /** Changes of the epoch without a cause. */
  falseAlarms: number;
  /** Sends whose outcome their sender never learnt. */
  unknown: number;
  /** The longest of the measured moments; null if the fault measures none. */
  unavailableMs: number | null;
  drainedMs: number;
  violations: readonly { invariant: string; text: string; evidence: readonly string[] }[];
};

export type Skipped = { fault: string; seed: number; skipped: string };

const columns = [
  ['fault', 10],
  ['seed', 5],
  ['accepted', 8],
  ['lost', 5],
  ['dup', 5],
  ['reord', 5],
  ['leaked', 6],
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
  const { fault, seed, acked, lost, duplicated, reordered, leaked, falseAlarms, unknown, drainedMs } = row;
  const cells = [fault, seed, acked, lost, duplicated, reordered, leaked, falseAlarms, unknown];
  const result = row.violations.length === 0 ? 'ok' : `${row.violations.length} VIOLATIONS`;
  return `${line([...cells, row.unavailableMs ?? '-', drainedMs])}  ${result}`;
}

const shown = 12;
const evidenceShown = 4;
const textShown = 600;

/** What was wrong, with the lines of the recording that show it. The first few of each invariant. */
export function violationLines({ fault, seed, violations }: Row): string[] {
  const byInvariant = Map.groupBy(violations, ({ invariant }) => invariant);
  return [...byInvariant].flatMap(([invariant, all]) => [
    `  ${fault} seed ${seed}: ${invariant}, ${all.length} times`,
    ...all
      .slice(0, shown)
      .flatMap(({ text, evidence }) => [
        `    ${text.slice(0, textShown)}`,
        ...evidence.slice(0, evidenceShown).map((one) => `      ${one.slice(0, textShown)}`),
      ]),
  ]);
}

export type Head = { seed: number; commit: string; on: string; store: string; level: string; mode: string };

/** The last line of stdout. */
export function summary(head: Head, rows: readonly (Row | Skipped)[]): object {
  const ran = rows.filter((row): row is Row => !('skipped' in row));
  return {
    ...head,
    faults: ran.map((row) => ({
      name: row.fault,
      seed: row.seed,
      acked: row.acked,
      lost: row.lost,
      duplicated: row.duplicated,
      reordered: row.reordered,
      leaked: row.leaked,
      false_alarms: row.falseAlarms,
      unknown: row.unknown,
      unavailable_ms: row.unavailableMs,
      drained_ms: row.drainedMs,
      violations: row.violations.length,
    })),
    skipped: rows.flatMap((row) => ('skipped' in row ? [{ name: row.fault, why: row.skipped }] : [])),
    violations: ran.reduce((sum, { violations }) => sum + violations.length, 0),
  };
}
