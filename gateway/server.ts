import type { Server, ServerOptions } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { createAdaptorServer, type HttpBindings } from '@hono/node-server';
import type { Hono } from 'hono';
import type { Faults } from '../shared/process/faults.ts';
import { httpTimeouts } from '../shared/process/health.ts';
import { closeCodes } from '../shared/protocol/close-codes.ts';
import { monotonicMs, wallMs } from '../shared/timing/clocks.ts';
import { heartbeatMs } from './frames/hello.ts';
import type { HttpEnv } from './http/context.ts';
import { boundRefusal } from './http/errors.ts';
import type { ConnectionBounds } from './limits/connection-bounds.ts';
import { Connection, type Dispatch } from './socket/connection.ts';
import { sayGoodbyes } from './socket/drain.ts';
import type { Registry } from './socket/registry.ts';
import { acceptUpgrades, isWebSocketUpgrade } from './socket/upgrade.ts';

/** A client has to say hello within this time (ms). */
const helloWithinMs = 5000;
/** A socket outlives its token by this long, time for a `reauth` (ms). */
const expiryGraceMs = 20_000;
const sweepEveryMs = 500;
/**
 * After the goodbyes sockets and HTTP requests have this long to end (ms). With the longest drain the process still
 * ends in time.
 */
const lingerMs = 400;

/**
 * The listening side of a gateway: one HTTP server for the app and the sockets. One sweep serves every timer of every
 * connection, so that an idle connection costs none.
 */
export function createServer(parts: {
  app: Hono<HttpEnv>;
  dispatch: Dispatch;
  registry: Registry;
  bounds: ConnectionBounds;
  maxFrameBytes: number;
  drainMs: number;
  faults: Faults;
}) {
  const { app, registry, bounds, faults } = parts;
  const server = createAdaptorServer({
    fetch: (request, env) => {
      const { incoming, outgoing } = env as HttpBindings;
      const bound = bounds.ofRequest(incoming, outgoing);
      return bound === null ? app.fetch(request, env) : boundRefusal(bound);
    },
    serverOptions: { ...httpTimeouts, shouldUpgradeCallback: isWebSocketUpgrade } satisfies ServerOptions,
  }) as Server;
  server.on(
    'connection',
    faults.contained('upgrade', (socket: Socket) => bounds.opened(socket, server)),
  );

  acceptUpgrades(
    server,
    app,
    bounds,
    parts.maxFrameBytes,
    (socket, raw) => {
      const connection = new Connection(socket, raw, parts.dispatch, monotonicMs());
      socket.holder = connection;
      registry.add(connection);
    },
    (thrown) => faults.note('upgrade', thrown),
  );

  /** Does something for every connection; what it throws for one ends that one. */
  function forEach(work: (connection: Connection) => void): void {
    for (const connection of registry.all) {
      try {
        work(connection);
      } catch (thrown) {
        connection.faulted(thrown, 'timer');
      }
    }
  }

  let sweptAt = monotonicMs();
  /**
   * After a pause of the process its sockets still hold what was said meanwhile: it is heard before anybody is judged.
   */
  function wasPaused(now: number): boolean {
    const paused = now - sweptAt > 4 * sweepEveryMs;
    sweptAt = now;
    return paused;
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

  const sweep = setInterval(() => {
    const now = monotonicMs();
    const today = wallMs();
    if (wasPaused(now)) for (const connection of registry.all) connection.alive = true;
    else forEach((connection) => judge(connection, now, today));
  }, sweepEveryMs);

  const heartbeat = setInterval(() => forEach(beat), heartbeatMs);

  return {
    /** Resolves the port. Rejects when it cannot be had. */
    listen: (host: string, port: number): Promise<number> =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.off('error', reject);
          const address = server.address();
          resolve(typeof address === 'object' && address !== null ? address.port : port);
        });
      }),

    /**
     * Takes leave of everybody (goodbyes.ts). Until then it listens, so that `/readyz` can say that it stops. The
     * process ends only when the sockets have ended and the last answers are out, or are late: what it cut off would
     * look like a lost network.
     */
    async drain(): Promise<void> {
      // Whoever keeps an HTTP connection open shall find another gateway with the next request.
      server.prependListener('request', (_request, response) => (response.shouldKeepAlive = false));
      await sayGoodbyes(registry.all, parts.drainMs);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await Promise.race([closed, pause(lingerMs)]);
    },

    close(): void {
      clearInterval(sweep);
      clearInterval(heartbeat);
      server.closeAllConnections();
    },
  };
}
