import type { Connection, Facts, Sighting } from './facts.ts';
import type { Report } from './report.ts';
import type { Truth } from './truth.ts';

/** I8: what was received does not come again, and nothing comes again without end. */
export function checkRepeats(facts: Facts, _truth: Truth, report: Report): void {
  for (const device of facts.devices.values()) {
    const who = `${device.user}/${device.device}`;
    /** By epoch and message: whether it came with a position. */
    const came = new Map<string, Sighting>();
    for (const connection of device.connections) {
      checkReceived(who, connection, report);
      const times = new Map<number, number>();
      for (const item of connection.items) {
        const key = `${item.epoch} ${item.message.id}`;
        const before = came.get(key);
        if (before === undefined) {
          came.set(key, item);
          report.counts.delivered += 1;
        } else {
          report.counts.redelivered += 1;
          if (before.position === null || item.position === null) {
            report.counts.duplicated += 1;
            const how = (one: Sighting): string =>
              one.position === null ? 'without a position' : `at position ${one.position}`;
            report.violation(
              'I8',
              `${who} got ${item.message.id} ${how(before)}, and again ${how(item)}`,
              before.line,
              item.line,
            );
          }
        }
        if (item.path !== 'deliver' || item.position === null) continue;
        const count = (times.get(item.position) ?? 0) + 1;
        times.set(item.position, count);
        if (count === mostPushes + 1)
          report.violation(
            'I8',
            `${who} was pushed position ${item.position} more than ${mostPushes} times on one connection`,
            item.line,
          );
      }
    }
  }
}

/** Pushes of one position on one connection: it is closed before there are that many. */
const mostPushes = 20;

/**
 * On one connection nothing comes at or below what `hello` named, or what was confirmed before a request that has its
 * answer: frames of one socket are handled in order.
 */
function checkReceived(who: string, connection: Connection, report: Report): void {
  const { hello, welcome, mode } = connection;
  if (welcome === null || hello === null || mode === 'lazy') return;
  const named = hello.position !== null && !welcome.reset && (hello.epoch === null || hello.epoch === welcome.epoch);
  let bound = named ? hello.position! : 0;
  let boundLine = hello.line;
  const confirmed = connection.confirmed.filter(({ refused }) => !refused);
  const steps = [
    ...connection.answered.map(({ asked, answered }) => ({ line: answered, asked, item: null })),
    ...connection.items.filter(({ path }) => path === 'deliver').map((item) => ({ line: item.line, asked: 0, item })),
  ].sort((a, b) => a.line - b.line);
  let next = 0;
  let pending = { position: 0, line: 0 };
  for (const { asked, item } of steps) {
    if (item === null) {
      // What was confirmed before the last answered request counts only one answer later: a push may have been begun.
      if (pending.position > bound) [bound, boundLine] = [pending.position, pending.line];
      while (confirmed[next] !== undefined && confirmed[next]!.line < asked) {
        const { position, line } = confirmed[next++]!;
        if (position > pending.position) pending = { position, line };
      }
      continue;
    }
    if (item.position === null || item.position > bound) continue;
    report.violation(
      'I8',
      `${who} got position ${item.position} again, though it had received ${bound}`,
      boundLine,
      item.line,
    );
  }
}
