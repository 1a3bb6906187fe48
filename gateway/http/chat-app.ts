import { fileURLToPath } from 'node:url';
import { Hono } from 'hono';
import type { HttpEnv } from './context.ts';
import { createServedFiles, etagOf, sendFile } from './served-files.ts';

/**
 * The chat app, outside production: the page at `/` and its files below `/app/`. `npm start` compiles its TypeScript
 * into one script.
 */

const folder = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** Nothing stands in the page itself: scripts and styles come from files alone. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self' ws: wss:",
  "img-src 'self' data:",
  "manifest-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const notCompiled = `The chat app is not compiled. \`npm start\` compiles it before it starts the gateways.
By hand: npx rolldown sdk/app/main.ts sdk/app/sw.ts -d sdk/app/dist -s
`;

/** `demoUsers`: the page may offer users whose tokens this gateway signs. */
export function chatAppRoutes(demoUsers: boolean): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  const sources = createServedFiles(folder('sdk/app'));
  const code = createServedFiles(folder('sdk/app/dist'));

  app.get('/', async (context) => {
    const [page, main] = await Promise.all([sources('index.html'), code('main.js')]);
    if (page === null || main === null) return context.text(notCompiled, 404);
    const text = page.bytes
      .toString()
      .replace('name="demo-users" content="off"', `name="demo-users" content="${demoUsers ? 'on' : 'off'}"`);
    const served = { bytes: Buffer.from(text), etag: etagOf(text), type: page.type };
    return sendFile(context, served, { 'content-security-policy': policy });
  });

  app.get('/app/*', async (context) => {
    const path = context.req.path.slice('/app/'.length);
    const file = await (path.startsWith('files/') ? sources(path) : code(path));
    if (file === null) return context.text('not found', 404);
    // The service worker also answers for the page itself, which stands above its own folder.
    return sendFile(context, file, path === 'sw.js' ? { 'service-worker-allowed': '/' } : {});
  });
  return app;
}
