import { setTimeout as pause } from 'node:timers/promises';
import { closeCodes } from '../../shared/protocol/close-codes.ts';
import { drainFrame } from '../../shared/protocol/frame-text.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import type { Connection } from './connection.ts';

/** How often a group is told, and a group is closed (ms). */
const turnMs = 100;

export type DrainTarget = Pick<Connection, 'write' | 'close' | 'openRequests'>;

/** How many of `count` are due this turn, so that all are done within the time that is left. */
const due = (count: number, leftMs: number): number => Math.ceil((count * turnMs) / Math.max(turnMs, leftMs));

/**
 * Takes leave of every connection within `drainMs`, so that the other gateways are not stormed:
 *
 *   told `drain`, in groups over the first half ── a quarter to go by itself ──▶ closed with 1001, in groups until the
 *   end
 *
 * Until it is told a device is served as before. Each gets a time of its own to come back, at most half of `drainMs`,
 * so the returns too are spread over the whole of it. Sockets with open requests are waited for, but not beyond it. Few
 * sockets take a turn each and no longer.
 */
export async function drainConnections(all: ReadonlySet<DrainTarget>, drainMs: number): Promise<void> {
  const began = monotonicMs();
  /** Who was told, and when. */
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
      if (connection.openRequests > 0 || now - (told.get(connection) ?? now) < drainMs / 4) continue;
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
