import type { Connection, Device, Facts, Sighting } from './facts.ts';
import { sentBy } from './own-messages.ts';
import type { Inbox, Inboxes } from './positions.ts';
import type { Report } from './report.ts';

/** I10: a device's stored position never falls, is moved by that device alone, and stays within the inbox. */
export function checkStoredPositions(facts: Facts, inboxes: Inboxes, report: Report): void {
  const isOwn = sentBy(facts);
  for (const device of facts.devices.values()) {
    const who = `${device.user}/${device.device}`;
    /** By epoch: what the server said that it remembers, and the highest that this device ever confirmed. */
    const stored = new Map<string, { position: number; line: number }>();
    const confirmed = new Map<string, number>();
    for (const connection of device.connections) {
      const { welcome, hello } = connection;
      if (hello === null) continue;
      if (welcome === null) {
        // The server may have taken the position all the same.
        if (hello.position !== null && hello.epoch !== null)
          confirmed.set(hello.epoch, Math.max(confirmed.get(hello.epoch) ?? 0, hello.position));
        continue;
      }
      const { epoch, position, head, line } = welcome;
      if (position > head)
        report.violation('I10', `${who} is remembered at ${position}, above the head ${head} of its inbox`, line);
      const before = stored.get(epoch);
      if (before !== undefined && position < before.position)
        report.violation('I10', `${who} fell back from position ${before.position} to ${position}`, before.line, line);
      stored.set(epoch, { position, line });
      const counts = hello.position !== null && (hello.epoch === null || hello.epoch === epoch) && !welcome.reset;
      const most = Math.max(confirmed.get(epoch) ?? 0, counts ? hello.position! : 0);
      const foreign = firstForeign(device, inboxes(device.user, epoch), most, position, isOwn);
      if (foreign !== null)
        report.violation(
          'I10',
          `${who} confirmed up to ${most}, and is remembered at ${position}; ` +
            `${foreign.message.id} is at ${foreign.position}`,
          line,
          foreign.line,
        );
      confirmed.set(epoch, Math.max(most, ...validConfirmations(connection)));
      checkAboveHead(connection, report);
    }
  }
}

const validConfirmations = (connection: Connection): number[] =>
  connection.confirmed.filter(({ refused }) => !refused).map(({ position }) => position);

/** An item above `from`, up to `to`, that this device did not send itself. */
function firstForeign(
  device: Device,
  inbox: Inbox | undefined,
  from: number,
  to: number,
  isOwn: ReturnType<typeof sentBy>,
): Sighting | null {
  for (const [position, item] of inbox?.at ?? [])
    if (position > from && position <= to && !isOwn(device, item.message)) return item;
  return null;
}

/** No inbox of a run comes near to this position. */
const aboveEveryHead = 1_000_000_000_000;

/** A confirmation of what cannot be there must be refused. An answer to something later says that it was not. */
function checkAboveHead(connection: Connection, report: Report): void {
  for (const { position, refused, line, id } of connection.confirmed) {
    if (position < aboveEveryHead || refused || id === null) continue;
    const later = connection.answered.find(({ asked }) => asked > line);
    if (later !== undefined)
      report.violation(
        'I10',
        `${connection.key} confirmed position ${position}, which was not refused`,
        line,
        later.answered,
      );
  }
}
