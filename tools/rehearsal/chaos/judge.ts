import { check, invariants } from './checker/check.ts';
import type { Counts } from './checker/report.ts';
import { readRecording } from './recording.ts';

export type Found = {
  /** The invariant by its name and what it says, or `runner`. */
  invariant: string;
  says: string;
  /** How often it was broken; `examples` are the first few. */
  count: number;
  examples: { text: string; evidence: string[] }[];
};

export type Judged = { counts: Counts; found: Found[]; total: number };

const examplesOfEach = 6;
const linesOfEach = 4;
const lineLength = 400;

/** The texts of these lines of a recording. */
function linesOf(path: string, wanted: ReadonlySet<number>): Map<number, string> {
  const lines = new Map<number, string>();
  if (wanted.size === 0) return lines;
  for (const { line, ...event } of readRecording(path)) {
    if (wanted.has(line)) lines.set(line, `line ${line}: ${JSON.stringify(event).slice(0, lineLength)}`);
    if (lines.size === wanted.size) break;
  }
  return lines;
}

/** What the checker says of a recording, with the lines that show it, and what the runner saw broken itself. */
export function judge(path: string, broken: readonly string[]): Judged {
  const { counts, violations, found, total } = check(readRecording(path));
  const shown = [...Map.groupBy(violations, ({ invariant }) => invariant)].map(
    ([invariant, all]) => [invariant, all.slice(0, examplesOfEach)] as const,
  );
  const wanted = new Set(shown.flatMap(([, all]) => all.flatMap(({ evidence }) => evidence.slice(0, linesOfEach))));
  const lines = linesOf(path, wanted);
  const told: Found[] = shown.map(([invariant, all]) => ({
    invariant,
    says: invariants[invariant],
    count: found[invariant] ?? all.length,
    examples: all.map(({ text, evidence }) => ({
      text,
      evidence: evidence.slice(0, linesOfEach).flatMap((line) => lines.get(line) ?? []),
    })),
  }));
  if (broken.length > 0)
    told.push({
      invariant: 'runner',
      says: 'every step can be carried out, and no process ends by itself',
      count: broken.length,
      examples: broken.slice(0, examplesOfEach).map((text) => ({ text, evidence: [] })),
    });
  return { counts, found: told, total: total + broken.length };
}
