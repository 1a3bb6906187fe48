import type { Amendment, Facts } from './facts.ts';
import type { Report } from './report.ts';
import type { Truth } from './truth.ts';

/**
 * I14: after a recall or an edit was answered, nobody who asks then gets the body from before: not by history, page,
 * inbox or summary, and not on a connection that was opened then.
 */
export function checkAmendments(facts: Facts, _truth: Truth, report: Report): void {
  const bySeq = new Map<string, Amendment[]>();
  for (const amendment of facts.amendments) {
    const key = `${amendment.conversation} ${amendment.seq}`;
    const all = bySeq.get(key) ?? [];
    bySeq.set(key, all);
    all.push(amendment);
  }
  if (bySeq.size === 0) return;
  for (const { message, asked, line, path, user } of facts.sightings) {
    const amendments = bySeq.get(`${message.conversation} ${message.seq}`);
    const newest = amendments?.findLast((amendment) => amendment.line < asked);
    if (newest === undefined || (message.amended !== null && message.amended.amendSeq >= newest.amendSeq)) continue;
    // A former member is shown neither the old nor the new body.
    if (message.amended?.action === 'withheld') continue;
    const what = `seq ${message.seq} of ${message.conversation} was amended (${newest.action})`;
    report.violation('I14', `${what}, and ${user ?? 'a service'} got an older body by ${path}`, newest.line, line);
  }
}
