import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import type { Registry } from 'prom-client';
import { toRefusal } from '../model/errors.ts';
import type { Faults } from './faults.ts';
import type { Logger } from './log.ts';

/** Whether a process can do its work now, and if not why. */
export type Readiness = () => { ready: true } | { ready: false; reason: string };

/** They ask for no token, and are answered also where connections are refused. */
export const healthPaths: ReadonlySet<string> = new Set(['/livez', '/readyz', '/metrics']);

/** How often Node looks for slow requests (ms). A client that sends its request slowly is cut off within 12 s. */
export const httpTimeouts = { headersTimeout: 10_000, requestTimeout: 30_000, connectionsCheckingInterval: 2000 };

/** `/livez` (the process runs; asks nobody), `/readyz` and `/metrics`, on every process. */
export function healthRoutes(ready: Readiness, metrics: Registry, faults: Pick<Faults, 'note'>): Hono {
  return new Hono()
    .onError((thrown, context) => {
      faults.note('request', thrown);
      const { code, message, retryable } = toRefusal(thrown);
      return context.json({ error: { code, message, retryable } }, 500);
    })
    .get('/livez', (context) => context.json({ live: true }))
    .get('/readyz', (context) => {
      const state = ready();
      return context.json(state, state.ready ? 200 : 503);
    })
    .get('/metrics', async (context) =>
      context.text(await metrics.metrics(), 200, { 'content-type': metrics.contentType }),
    );
}

/** Serves the health routes of a worker. A port that is taken is given up for a free one, and said so. */
export async function serveHealth(
  routes: Hono,
  host: string,
  port: number,
  log: Logger,
): Promise<{ close(): Promise<void> }> {
  const listen = (on: number): Promise<ReturnType<typeof serve>> =>
    new Promise((resolve, reject) => {
      const server = serve(
        { fetch: routes.fetch, hostname: host, port: on, serverOptions: httpTimeouts },
        ({ port: bound }) => {
          log.info({ event: 'listening', host, port: bound });
          resolve(server);
        },
      );
      server.once('error', reject);
    });
  let server;
  try {
    server = await listen(port);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw thrown;
    log.warn({ event: 'port_taken', port });
    server = await listen(0);
  }
  return {
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
}
