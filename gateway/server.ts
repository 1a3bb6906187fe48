import type { Server, ServerOptions } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { createAdaptorServer, type HttpBindings } from '@hono/node-server';
import type { Hono } from 'hono';
import type { Faults } from '../shared/process/faults.ts';
import { httpTimeouts } from '../shared/process/health.ts';
import { monotonicMs } from '../shared/timing/clocks.ts';
import type { HttpEnv } from './http/context.ts';
import { boundRefusal } from './http/errors.ts';
import type { ConnectionBounds } from './limits/connection-bounds.ts';
import { Connection, type Dispatch } from './socket/connection.ts';
import { drainConnections } from './socket/drain.ts';
import type { Registry } from './socket/registry.ts';
import { startSweeps } from './socket/sweeps.ts';
import { acceptUpgrades, isWebSocketUpgrade } from './socket/upgrade.ts';

/**
 * After the drain, sockets and HTTP requests have this long to end (ms). Together with the longest drain that can be
 * set, the process still ends before it is killed.
 */
const lingerMs = 400;

/** The listening side of a gateway: one HTTP server for the app and the sockets. */
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

  const sweeps = startSweeps(registry);

  return {
    /** Resolves the port. Rejects if it cannot listen there. */
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
     * Drains all connections (socket/drain.ts), then stops to listen: until then `/readyz` can say that it stops.
     * Resolves when sockets have ended and answers are written, or are late. Clients would take a cut connection for a
     * lost network.
     */
    async drain(): Promise<void> {
      // Close kept-alive HTTP connections, so that their next requests go to another gateway.
      server.prependListener('request', (_request, response) => (response.shouldKeepAlive = false));
      await drainConnections(registry.all, parts.drainMs);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await Promise.race([closed, pause(lingerMs)]);
    },

    close(): void {
      sweeps.stop();
      server.closeAllConnections();
    },
  };
}
