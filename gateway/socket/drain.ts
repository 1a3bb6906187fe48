import { setTimeout as pause } from 'node:timers/promises';
import { closeCodes } from '../../shared/protocol/close-codes.ts';
import { drainFrame } from '../../shared/protocol/frame-text.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import type { Connection } from './connection.ts';

/** Each turn tells one group and closes another (ms). */
const turnMs = 100;

export type DrainTarget = Pick<Connection, 'write' | 'close' | 'unanswered'>;

/** How many of `count` are due in this turn, if all have to be done within `leftMs`. */
const due = (count: number, leftMs: number): number => Math.ceil((count * turnMs) / Math.max(turnMs, leftMs));

/**
 * Closes every connection within `drainMs`, spread over that time, so that clients do not storm the other gateways:
 *
 *   served ──first half, in groups──▶ told `drain` ──after a quarter, in groups──▶ closed with 1001
 *
 * Until a device is told, it is served as before. Each is told a random time to reconnect, at most half of `drainMs`,
 * so reconnects are spread over the whole time too. A connection with unanswered requests is closed last, but not later
 * than `drainMs`. A few connections need only a few turns.
 */
export async function drainConnections(all: ReadonlySet<DrainTarget>, drainMs: number): Promise<void> {
  const began = monotonicMs();
  /** When each connection was told. */
  const told = new Map<DrainTarget, number>();
  const close = (connection: DrainTarget): void => connection.close(closeCodes.goingAway, 'the gateway stops');

  const tell = (connection: DrainTarget, now: number): void => {
    told.set(connection, now);
    connection.write(drainFrame(Math.round((Math.random() * drainMs) / 2)));
  };

  for (let now = began; all.size > 0 && now < began + drainMs; now = monotonicMs()) {
    const untold = [...all].filter((connection) => !told.has(connection));
    for (const connection of untold.slice(0, due(untold.length, began + drainMs / 2 - now))) tell(connection, now);

    let closing = due(all.size, began + drainMs - now);
    for (const connection of [...all]) {
      if (closing === 0) break;
      if (connection.unanswered > 0 || now - (told.get(connection) ?? now) < drainMs / 4) continue;
      close(connection);
      closing -= 1;
    }
    await pause(Math.min(turnMs, drainMs / 4));
  }
  for (const connection of [...all]) {
    if (!told.has(connection)) tell(connection, began + drainMs);
    close(connection);
  }
}
