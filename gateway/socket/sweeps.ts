import { monotonicMs, wallMs } from '../../shared/timing/clocks.ts';
import type { Connection } from './connection.ts';
import type { Registry } from './registry.ts';

/** Both sides ping after this long (ms); a peer that is silent until the next ping is cut off. Told in `welcome`. */
export const heartbeatMs = 25_000;
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
    // After a pause, read what came meanwhile before any deadline is checked.
    if (wasPaused(now)) for (const connection of registry.all) connection.assumeAlive();
    else forEach(registry, (connection) => connection.tick(now, today));
  }, sweepEveryMs);

  const heartbeat = setInterval(() => forEach(registry, (connection) => connection.beat()), heartbeatMs);

  return {
    stop(): void {
      clearInterval(sweep);
      clearInterval(heartbeat);
    },
  };
}
