import { readFileSync } from 'node:fs';
import { Hono } from 'hono';
import { cors } from 'hono/cors';
import { Refusal } from '../../shared/model/errors.ts';
import { originSet } from '../auth/origins.ts';
import type { HttpEnv, HttpParts } from './context.ts';
import { createRefuse, noSuchRoute } from './errors.ts';
import { openApiOf } from './openapi.ts';
import { pagePolicy } from './page-policy.ts';
import { routesOf } from './routes/all.ts';
import { serve } from './serving.ts';

const docsPage = readFileSync(new URL('docs.html', import.meta.url), 'utf8');

const bearer = /^Bearer +(\S+) *$/i;

/** All routes under /v1. */
export function v1Routes(parts: HttpParts): Hono<HttpEnv> {
  const { config } = parts;
  const app = new Hono<HttpEnv>();
  const refuse = createRefuse(parts.noteRefusal);
  app.onError((thrown, context) => {
    if (thrown instanceof Refusal && thrown.code === 'forbidden')
      parts.audit.forbidden(context, context.get('principal'), thrown.message);
    return refuse(thrown, context);
  });

  if (config.ALLOWED_ORIGINS.length > 0) {
    const allowed = originSet(config.ALLOWED_ORIGINS);
    app.use(
      cors({
        origin: (origin) => (allowed.has(origin.toLowerCase()) ? origin : null),
        allowMethods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
        allowHeaders: ['Authorization', 'Content-Type'],
        exposeHeaders: ['Retry-After'],
        maxAge: 600,
      }),
    );
  }

  const routes = routesOf(parts);
  const document = JSON.stringify(openApiOf(routes));
  app.get('/openapi.json', (context) => context.body(document, 200, { 'content-type': 'application/json' }));
  app.get('/docs', (context) => context.html(docsPage, 200, { 'content-security-policy': pagePolicy }));

  // A missing token is refused with the same words as a wrong one.
  app.use(async (context, next) => {
    const token = bearer.exec(context.req.header('authorization') ?? '')?.[1] ?? '';
    context.set('principal', await parts.authenticate(token));
    await next();
  });
  for (const route of routes) serve(app, route, config.maxFrameBytes, parts);
  app.all('*', (context) => {
    parts.budgets.take('frame', context.get('principal'));
    return noSuchRoute();
  });
  return app;
}
