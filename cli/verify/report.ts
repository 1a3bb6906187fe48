import type { Audit } from './audit.ts';
import { type Kind, kinds } from './findings.ts';

/** Findings that the text names; JSON has all that were kept. */
const mostShown = 200;

function lines({ totals, findings }: Audit): [string, string][] {
  const lags = Object.entries(totals.unsettled).map(([group, count]) => `${group} ${count}`);
  return [
    ['conversations', `${totals.conversations}, ${totals.seqs} seqs`],
    ['old bodies', `${totals.oldBodies} stored, shown to nobody`],
    ['users', `${totals.users}, ${totals.entries} entries`],
    ...(totals.notLoaded > 0 ? [['not loaded', `${totals.notLoaded} users, since a loss`] as [string, string]] : []),
    ...(lags.length > 0 ? [['unsettled', lags.join(', ')] as [string, string]] : []),
    ['dead letters', `${totals.deadLetters} open`],
    ['findings', `${findings.total}`],
  ];
}

/** A table, then a line for each kind of finding and for each finding. */
export function textReport(audit: Audit): string {
  const { findings } = audit;
  const table = lines(audit).map(([name, value]) => `${name.padEnd(15)}${value}`);
  const shown = findings.named.slice(0, mostShown);
  const left = findings.total - shown.length;
  return [
    ...table,
    ...(findings.total === 0 ? ['nothing is missing'] : ['']),
    ...[...findings.counts].map(([kind, count]) => `${kind.padEnd(20)}${String(count).padStart(7)}  ${kinds[kind]}`),
    ...(shown.length === 0 ? [] : ['']),
    ...shown.map(({ kind, where, what }) => `${kind}  ${where}  ${what}`),
    ...(left > 0 ? [`and ${left} more`] : []),
    '',
  ].join('\n');
}

/** One line: totals, counts by kind, and the findings that were kept. */
export function jsonReport({ totals, findings }: Audit): string {
  const counts = Object.fromEntries(findings.counts) as Partial<Record<Kind, number>>;
  return `${JSON.stringify({ totals, total: findings.total, counts, findings: findings.named })}\n`;
}
