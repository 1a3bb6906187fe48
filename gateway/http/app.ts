import { Hono } from 'hono';
import { secureHeaders } from 'hono/secure-headers';
import { healthRoutes, type Readiness } from '../../shared/process/health.ts';
import { createDevTokens } from '../auth/dev-tokens.ts';
import type { OriginCheck } from '../auth/origins.ts';
import { subprotocol } from '../socket/upgrade.ts';
import { chatAppRoutes } from './chat-app.ts';
import type { HttpEnv, HttpParts } from './context.ts';
import { devTokenRoutes } from './dev-token.ts';
import { createRefuse } from './errors.ts';
import { pageFile } from './page-file.ts';
import { v1Routes } from './v1.ts';

const look = pageFile(new URL('look.css', import.meta.url));

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
  app.get('/look.css', look);

  if (parts.config.NODE_ENV !== 'production') {
    const sign = createDevTokens(parts.config);
    if (sign !== null) app.route('/dev', devTokenRoutes(sign));
    app.route('/', chatAppRoutes(sign !== null));
  }
  return app;
}
