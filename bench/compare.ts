/** `--compare FILE`: the ratios of this run beside stored ones, and which of them got worse. */
import { readFile } from 'node:fs/promises';

/** What a file of results says of its run; older files have no date. */
export type StoredRatios = { machine: string; date?: string; commit?: string; ratios: Record<string, number | null> };

export type Change = {
  name: string;
  before: number;
  now: number;
  /** The share by which it got worse; negative if it got better. */
  worseBy: number;
};

type Goals = Readonly<Record<string, { floor?: number; ceiling?: number }>>;

/** Whether less of it is better: a ratio with a ceiling, or one of times or CPU. */
const isCost = (name: string, goals: Goals): boolean => {
  const goal = goals[name];
  return goal === undefined ? /_(p50|p99|cpu|resident|heap|commands|lag)_?/.test(name) : goal.ceiling !== undefined;
};

/** The ratios that both runs have. */
export function compareRatios(
  before: Record<string, number | null>,
  now: Record<string, number | null>,
  goals: Goals,
): Change[] {
  return Object.entries(now).flatMap(([name, value]): Change[] => {
    const stored = before[name];
    if (value === null || stored === null || stored === undefined || stored <= 0 || value <= 0) return [];
    const worseBy = isCost(name, goals) ? value / stored - 1 : 1 - value / stored;
    return [{ name, before: stored, now: value, worseBy }];
  });
}

export function changeRow({ name, before, now, worseBy }: Change, tolerance: number): string {
  const percent = `${Math.abs(worseBy * 100).toFixed(0)} % ${worseBy > 0 ? 'worse' : 'better'}`;
  const verdict = worseBy > tolerance ? '   beyond the tolerance' : '';
  return `${name.padEnd(34)} ${String(before).padStart(8)} -> ${String(now).padStart(8)}   ${percent}${verdict}`;
}

/** Rejects with a sentence if the file holds no ratios. */
export async function readRatios(path: string): Promise<StoredRatios> {
  const stored: unknown = JSON.parse(await readFile(path, 'utf8'));
  if (typeof stored !== 'object' || stored === null || !('ratios' in stored) || typeof stored.ratios !== 'object')
    throw new Error(`${path} holds no ratios of npm run bench`);
  return stored as StoredRatios;
}

/** Says every change. Returns whether no ratio got worse by more than `tolerance`. */
export function reportChanges(
  stored: StoredRatios,
  now: { machine: string; ratios: Record<string, number | null> },
  goals: Goals,
  { tolerance, say }: { tolerance: number; say: (text: string) => void },
): boolean {
  const at = stored.commit === undefined ? '' : ` at commit ${stored.commit}`;
  say(`compared with ${stored.date ?? 'a run without a date'}${at}: ${stored.machine}`);
  if (stored.machine !== now.machine) say('the machines differ: only ratios with the same load say something');
  const changes = compareRatios(stored.ratios, now.ratios, goals);
  if (changes.length === 0) say('no ratio is in both');
  for (const change of changes) say(changeRow(change, tolerance));
  return changes.every(({ worseBy }) => worseBy <= tolerance);
}
