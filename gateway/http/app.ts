import { readFileSync } from 'node:fs';
import { Hono } from 'hono';
import { secureHeaders } from 'hono/secure-headers';
import { healthRoutes, type Readiness } from '../../shared/process/health.ts';
import type { OriginCheck } from '../auth/origins.ts';
import { subprotocol } from '../socket/upgrade.ts';
import type { HttpEnv, HttpParts } from './context.ts';
import { createRefuse } from './errors.ts';
import { pagePolicy } from './page-policy.ts';
import { v1Routes } from './v1.ts';

const chatPage = readFileSync(new URL('./chat.html', import.meta.url), 'utf8');

/** Everything that a gateway answers by HTTP, and the route that accepts WebSocket upgrades. */
export function createApp(
  parts: HttpParts,
  ready: Readiness,
  allowedOrigin: OriginCheck,
  admin: Hono<HttpEnv>,
): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  app.onError(createRefuse(parts.noteRefusal));
  app.use(secureHeaders({ crossOriginResourcePolicy: false }));
  app.route('/', healthRoutes(ready, parts.metrics.registry, parts.faults));

  app.get('/v1/ws', (context) => {
    const { upgrade } = context.env;
    if (upgrade === undefined) return context.text('this is a WebSocket', 426);
    if (!allowedOrigin((name) => context.req.header(name))) return context.body(null, 403);
    const offered = context.req.header('sec-websocket-protocol');
    if (offered !== undefined && !offered.split(',').some((name) => name.trim() === subprotocol))
      return context.body(null, 400);
    if (!ready().ready) return context.body(null, 503);
    upgrade.accepted = true;
    return context.body(null, 200);
  });

  app.route('/v1', v1Routes(parts));
  app.route('/admin', admin);

  if (parts.config.NODE_ENV !== 'production')
    app.get('/', (context) => context.html(chatPage, 200, { 'content-security-policy': pagePolicy }));
  return app;
}
