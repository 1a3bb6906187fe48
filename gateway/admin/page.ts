import { readdirSync } from 'node:fs';
import { Hono } from 'hono';
import type { HttpEnv } from '../http/context.ts';
import { pageFile } from '../http/page-file.ts';

/**
 * The Content-Security-Policy of the page: it runs its own files and talks to its own gateway, and nothing else.
 * Nothing is inline, and no text becomes HTML.
 */
export const operatorsPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

const folder = new URL('page/', import.meta.url);
const served = /\.(css|mjs)$/;

/** The operators' page and its files. They are modules as they lie there: nothing builds them. */
export function pageRoutes(): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>({ strict: false });
  app.get('/', pageFile(new URL('index.html', folder), { 'content-security-policy': operatorsPolicy }));
  for (const name of readdirSync(folder).filter((one) => served.test(one)))
    app.get(`/page/${name}`, pageFile(new URL(name, folder)));
  return app;
}
