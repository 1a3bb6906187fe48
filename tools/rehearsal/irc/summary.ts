import type { Evidence } from './check.ts';

function table(rows: [string, string | number][]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n');
}

/** `kills`: null if kills were not requested. */
export type Run = { pulls: number; kills: number | null; seconds: number };

/** The figures of a rehearsal, as text. */
export function summary(evidence: Evidence, { pulls, kills, seconds }: Run): string {
  const records = evidence.devices;
  const sum = (count: (record: (typeof records)[number]) => number): number =>
    records.reduce((total, one) => total + count(one), 0);
  const arrivals = sum((record) => record.arrivals.length);
  const first = sum((record) => new Set(record.arrivals.map(({ seq }) => seq)).size);
  return table([
    ['users', new Set(records.map(({ user }) => user)).size],
    ['devices', `${records.length} (${pulls} pull)`],
    ['messages accepted', evidence.sent.length],
    ['changes of membership', [...evidence.changes.values()].reduce((total, list) => total + list.length, 0)],
    ['last seq', evidence.lastSeq],
    ['messages delivered', `${first} (${arrivals - first} came again)`],
    ['live without position', sum((record) => record.arrivals.filter(({ position }) => position === null).length)],
    ['gaps announced', sum((record) => record.gaps.length)],
    ['filled from history', sum((record) => record.filled.size)],
    ['history walks', evidence.walks.length],
    ['processes killed', kills ?? 'none'],
    ['time to replay', `${seconds.toFixed(1)} s (${Math.round(evidence.sent.length / seconds)} messages a second)`],
  ]);
}
