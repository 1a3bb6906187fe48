import type { Facts } from './facts.ts';
import type { Report } from './report.ts';
import type { Truth } from './truth.ts';

/** I15: a client that knows another epoch is told, and no other client is. Epochs do not come back. */
export function checkResets(facts: Facts, _truth: Truth, report: Report): void {
  const rankOf = new Map(facts.epochs.map(({ epoch }, rank) => [epoch, rank]));
  for (const { user, device, connections } of facts.devices.values()) {
    const who = `${user}/${device}`;
    for (const { hello, welcome } of connections) {
      if (hello === null || welcome === null) continue;
      const other = hello.epoch !== null && hello.epoch !== welcome.epoch;
      const above = hello.position !== null && hello.position > welcome.head;
      if (other && !welcome.reset)
        report.violation(
          'I15',
          `${who} named the epoch ${hello.epoch}, is welcomed in ${welcome.epoch}, and not told`,
          hello.line,
          welcome.line,
        );
      if (welcome.reset && !other && !above)
        report.violation('I15', `${who} is reset, though its epoch is the current one`, hello.line, welcome.line);
      const newest = facts.epochs.findLast(({ line }) => line < hello.line);
      if (newest !== undefined && rankOf.get(welcome.epoch)! < rankOf.get(newest.epoch)!)
        report.violation(
          'I15',
          `${who} is welcomed in the epoch ${welcome.epoch}, after ${newest.epoch} had begun`,
          newest.line,
          welcome.line,
        );
    }
  }
  for (const { user, asked, answer, line } of facts.epochAsks)
    if (answer !== null && answer !== asked)
      report.violation('I15', `${user} asked for a page of the epoch ${asked} and got one of ${answer}`, line);
  if (facts.run?.mode !== 'safety')
    for (const { certain, line } of facts.losses)
      if (certain && !facts.epochs.some((epoch) => epoch.line > line))
        report.violation('I15', 'state was lost, and the epoch did not change', line);
}

/** I24: every change of the epoch has a cause among the faults: a loss, or the death of a witness. */
export function checkAlarms(facts: Facts, _truth: Truth, report: Report): void {
  for (const [changes, { epoch, line }] of facts.epochs.entries()) {
    if (changes === 0) continue;
    report.counts.epochChanges += 1;
    if (facts.losses.filter((loss) => loss.line < line).length >= changes) continue;
    report.counts.falseAlarms += 1;
    report.violation('I24', `the epoch changed to ${epoch} without a cause`, facts.epochs[changes - 1]!.line, line);
  }
}
