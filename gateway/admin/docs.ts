import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { Hono } from 'hono';
import type { HttpEnv } from '../http/context.ts';
import { htmlOf } from './markdown.ts';
import { operatorsPolicy } from './page.ts';

const folder = new URL('../../docs/operations/', import.meta.url);

/** A page of this folder, with its anchor; a heading of the same page; or an address elsewhere. */
function linkTo(target: string): string | null {
  const page = /^([\w-]+)\.md(#.*)?$/.exec(target);
  if (page !== null) return `/admin/docs/${page[1]}${page[2] ?? ''}`;
  return /^(#|https:\/\/)/.test(target) ? target : null;
}

const pageOf = (name: string, markdown: string): string => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Restante: ${name}</title>
    <link rel="icon" href="data:," />
    <link rel="stylesheet" href="/look.css" />
    <link rel="stylesheet" href="/admin/page/docs.css" />
  </head>
  <body>
    <nav aria-label="Operations"><a href="/admin">Back to the overview</a></nav>
    <main>
${htmlOf(markdown, linkTo)}
    </main>
  </body>
</html>
`;

/**
 * The pages of docs/operations, for operators who have nothing but the gateway at hand. An installation without that
 * folder answers `not_found`.
 */
export function docsRoutes(): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>({ strict: false });
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.md')) : [];
  for (const file of files) {
    const name = file.replace(/\.md$/, '');
    const page = pageOf(name, readFileSync(new URL(file, folder), 'utf8'));
    app.get(`/${name}`, (context) => context.html(page, 200, { 'content-security-policy': operatorsPolicy }));
  }
  return app;
}
