import { closeCodes } from '../../shared/protocol/close-codes.ts';
import { monotonicMs, wallMs } from '../../shared/timing/clocks.ts';
import type { Connection } from './connection.ts';
import type { Registry } from './registry.ts';

/** Both sides ping after this long (ms); a peer that is silent until the next ping is cut off. Told in `welcome`. */
export const heartbeatMs = 25_000;
/** A client has to say hello within this time (ms). */
const helloWithinMs = 5000;
/** A socket outlives its token by this long, which leaves time for a `reauth` (ms). */
const expiryGraceMs = 20_000;
const sweepEveryMs = 500;

/** Does `work` for every connection. What it throws for one ends that one. */
function forEach(registry: Registry, work: (connection: Connection) => void): void {
  for (const connection of registry.all) {
    try {
      work(connection);
    } catch (thrown) {
      connection.faulted(thrown, 'timer');
    }
  }
}

function judge(connection: Connection, now: number, today: number): void {
  if (connection.session === null) {
    if (
      connection.greetingSince !== 0 &&
      now - connection.greetingSince > helloWithinMs &&
      connection.openRequests === 0
    ) {
      connection.close(closeCodes.noHello, 'no hello in time');
    }
  } else if (today > connection.expiresAt + expiryGraceMs) {
    connection.close(closeCodes.unauthenticated, 'the token has expired');
  } else {
    connection.session.remind(now);
  }
}

function beat(connection: Connection): void {
  connection.pings = 0;
  if (!connection.alive) {
    connection.socket.terminate();
    return;
  }
  connection.alive = false;
  if (connection.isOpen) connection.socket.ping();
}

/**
 * The timers of all connections: hello deadline, expiry of tokens, redelivery and heartbeat. Two intervals serve
 * everybody, so an idle connection costs no timer.
 */
export function startSweeps(registry: Registry) {
  let sweptAt = monotonicMs();

  /** Whether the process was stopped for a while. Its sockets then hold frames that came meanwhile. */
  function wasPaused(now: number): boolean {
    const paused = now - sweptAt > 4 * sweepEveryMs;
    sweptAt = now;
    return paused;
  }

  const sweep = setInterval(() => {
    const now = monotonicMs();
    const today = wallMs();
    // After a pause, read what came meanwhile before judging anybody.
    if (wasPaused(now)) for (const connection of registry.all) connection.alive = true;
    else forEach(registry, (connection) => judge(connection, now, today));
  }, sweepEveryMs);

  const heartbeat = setInterval(() => forEach(registry, beat), heartbeatMs);

  return {
    stop(): void {
      clearInterval(sweep);
      clearInterval(heartbeat);
    },
  };
}
