import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { HonoAdapter } from '@bull-board/hono';
import { serveStatic } from '@hono/node-server/serve-static';
import { Hono } from 'hono';
import type { JobQueue } from '../../shared/jobs/queues.ts';
import { Refusal } from '../../shared/model/errors.ts';
import type { HttpEnv } from '../http/context.ts';

const boardPath = '/admin/queues';
/**
 * The dashboard's page loads fonts from another host, which would learn when an operator looks. The link is removed,
 * and the browser uses its own fonts.
 */
const foreignLink = /<link[^>]*https:\/\/fonts\.[^>]*>/g;
const policy = [
  "default-src 'self'",
  "script-src 'self' 'unsafe-inline'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'self'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * The dashboard of the BullMQ queues. It is read-only unless `writable`: then operators can retry, change and remove
 * jobs.
 */
export function createQueueBoard(queues: readonly JobQueue[], writable: boolean): Hono<HttpEnv> {
  const adapter = new HonoAdapter(serveStatic);
  createBullBoard({
    queues: queues.map((queue) => new BullMQAdapter(queue, { readOnlyMode: !writable })),
    serverAdapter: adapter,
    options: {
      uiBasePath: dirname(createRequire(import.meta.url).resolve('@bull-board/ui/package.json')),
      uiConfig: { boardTitle: 'Restante queues', hideRedisDetails: false },
    },
  });
  const app = new Hono<HttpEnv>({ strict: false });
  app.use(async (context, next) => {
    // The dashboard has a read-only mode of its own, but each of its handlers must check it. This check depends on none
    // of them.
    if (!writable && context.req.method !== 'GET' && context.req.method !== 'HEAD')
      throw new Refusal('forbidden', 'queues are only shown here unless ADMIN_WRITE is 1');
    await next();
    context.header('content-security-policy', policy);
    if (context.res.headers.get('content-type')?.startsWith('text/html') !== true) return;
    const page = await context.res.text();
    context.res = context.html(page.replace(foreignLink, ''), context.res.status as 200);
  });
  app.route('/', adapter.setBasePath(boardPath).registerPlugin());
  return app;
}
