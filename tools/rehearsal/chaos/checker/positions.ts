import type { Facts, Sighting } from './facts.ts';
import type { Report } from './report.ts';

/** What stands at the positions of one user's inbox in one epoch. */
export type Inbox = { at: Map<number, Sighting>; of: Map<string, Sighting> };

export type Inboxes = (user: string, epoch: string) => Inbox | undefined;

const isPlaced = (sighting: Sighting): boolean =>
  sighting.position !== null && sighting.user !== null && sighting.epoch !== null;

/** I21: within an epoch a position of a user names one message, and a message has one position. */
export function checkPositions(facts: Facts, report: Report): Inboxes {
  const inboxes = new Map<string, Inbox>();
  const told = new Set<string>();
  for (const sighting of facts.sightings) {
    if (!isPlaced(sighting)) continue;
    const { user, epoch, message, line } = sighting;
    const position = sighting.position!;
    const key = `${user} ${epoch}`;
    let inbox = inboxes.get(key);
    if (inbox === undefined) inboxes.set(key, (inbox = { at: new Map(), of: new Map() }));
    const there = inbox.at.get(position);
    const before = inbox.of.get(message.id);
    if (there === undefined) inbox.at.set(position, sighting);
    else if (there.message.id !== message.id && !told.has(`${key} ${position}`)) {
      told.add(`${key} ${position}`);
      report.violation(
        'I21',
        `position ${position} of ${user} is ${there.message.id} and ${message.id} in one epoch`,
        there.line,
        line,
      );
    }
    if (before === undefined) inbox.of.set(message.id, sighting);
    else if (before.position !== position && !told.has(`${key} ${message.id}`)) {
      told.add(`${key} ${message.id}`);
      report.counts.duplicated += 1;
      report.violation(
        'I21',
        `${message.id} stands at the positions ${before.position} and ${position} of ${user} in one epoch`,
        before.line,
        line,
      );
    }
  }
  return (user, epoch) => inboxes.get(`${user} ${epoch}`);
}
