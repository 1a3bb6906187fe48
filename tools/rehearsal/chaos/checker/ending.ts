import type { Facts } from './facts.ts';
import type { Report } from './report.ts';
import type { Truth } from './truth.ts';

/** I12: after the faults everything arrives, and nothing waits any more. */
export function checkLiveness(facts: Facts, _truth: Truth, report: Report): void {
  if (facts.run?.mode === 'safety') return;
  for (const missing of facts.drained?.missing ?? []) report.violation('I12', missing, facts.drained!.line);
  if (facts.dumpEnded !== null && !facts.dumpEnded.complete)
    report.violation('I12', `the final state could not be read: ${facts.dumpEnded.why}`, facts.dumpEnded.line);
  for (const { of, lag, pending, line } of facts.waiting)
    if (lag > 0 || pending > 0) report.violation('I12', `${of}: ${lag} entries unread, ${pending} not settled`, line);
}

type Letter = { id: string; reason?: unknown; subject?: { group?: string } };

/** I16: each poison entry is one dead letter of each consumer group, with its reason, and nothing else is one. */
export function checkDeadLetters(facts: Facts, _truth: Truth, report: Report): void {
  if (facts.deadLetters === null) return;
  const { text, line } = facts.deadLetters;
  const letters = (JSON.parse(text) as { deadLetters: Letter[] }).deadLetters.map((letter) => ({
    ...letter,
    group: letter.subject?.group ?? 'jobs',
    text: JSON.stringify(letter),
  }));
  const ofPoison = letters.filter((letter) => facts.poison.some(({ marker }) => letter.text.includes(marker)));
  const groups = new Set(ofPoison.map(({ group }) => group));
  for (const { marker, line: poisoned } of facts.poison) {
    const mine = ofPoison.filter((letter) => letter.text.includes(marker));
    if (mine.length === 0) report.violation('I16', `the poison ${marker} is no dead letter`, poisoned, line);
    else
      for (const group of groups) {
        const count = mine.filter((letter) => letter.group === group).length;
        if (count !== 1)
          report.violation('I16', `the poison ${marker} is ${count} dead letters of ${group}`, poisoned, line);
      }
  }
  for (const letter of letters) {
    if (letter.reason === undefined || letter.reason === '')
      report.violation('I16', `the dead letter ${letter.id} has no reason`, line);
    if (!ofPoison.includes(letter))
      report.violation(
        'I16',
        `the dead letter ${letter.id} is no poison of this run: ${letter.text.slice(0, 200)}`,
        line,
      );
  }
}

/** How far a number may lie above its baseline at the end: `factor` times, and `more` beyond that. */
const roomOf: Record<string, { factor: number; more: number }> = {
  rss: { factor: 1.5, more: 200 * 1024 * 1024 },
  'redis-memory': { factor: 2, more: 64 * 1024 * 1024 },
  keys: { factor: 2, more: 2000 },
  consumers: { factor: 1, more: 4 },
  sockets: { factor: 1, more: 50 },
  fds: { factor: 1, more: 60 },
};

/** A client that comes back may come to another gateway, so their descriptors are judged together. */
const ownerOf = (what: string, of: string): string => (what === 'fds' && of.startsWith('web-') ? 'the gateways' : of);

/** I17: what a run takes it gives back. */
export function checkBounds(facts: Facts, _truth: Truth, report: Report): void {
  type Sum = { what: string; value: number; count: number; line: number };
  const sums = { baseline: new Map<string, Sum>(), end: new Map<string, Sum>() };
  for (const { phase, what, of, value, line } of facts.measured) {
    const key = `${what} of ${ownerOf(what, of)}`;
    const before = sums[phase].get(key);
    sums[phase].set(key, { what, value: value + (before?.value ?? 0), count: 1 + (before?.count ?? 0), line });
  }
  for (const [key, { what, value, line }] of sums.end) {
    const before = sums.baseline.get(key);
    const room = roomOf[what];
    if (before === undefined || room === undefined) continue;
    if (value <= before.value * room.factor + room.more * before.count) continue;
    report.violation('I17', `${key} was ${before.value} and is ${value}`, before.line, line);
  }
}
