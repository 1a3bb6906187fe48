import { type Context, Hono } from 'hono';
import { compress } from 'hono/compress';
import type { Redis } from 'ioredis';
import type { ReplayAnswer } from '../../shared/jobs/replay-requests.ts';
import type { MessageTrace } from '../../shared/message-trace/message-trace.ts';
import { traceLines } from '../../shared/message-trace/trace.ts';
import { deadLetterReasons, withoutContent } from '../../shared/model/dead-letter.ts';
import { badRequest, Refusal } from '../../shared/model/errors.ts';
import { idPattern } from '../../shared/model/model.ts';
import { surgeModes } from '../../shared/model/surge.ts';
import type { DeadLetters } from '../../shared/redis/dead-letters.ts';
import { orRetryLater } from '../../shared/redis/failures.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { type Samples, sampleEveryMs } from '../../shared/redis/samples.ts';
import { readPartitions } from '../../shared/redis/streams/partitions.ts';
import type { Surges } from '../../shared/redis/streams/surges.ts';
import type { HttpEnv, HttpParts } from '../http/context.ts';
import { createRefuse, noSuchRoute } from '../http/errors.ts';
import { adminAccess } from './access.ts';
import { docsRoutes } from './docs.ts';
import type { Overview } from './overview.ts';
import { pageRoutes } from './page.ts';
import type { PresenceOverview } from './presence.ts';
import type { SearchAdmin } from './search.ts';

export type AdminParts = {
  tokens: readonly string[];
  redis: Redis;
  keys: Keys;
  deadLetters: DeadLetters;
  replay: (id: string) => Promise<ReplayAnswer>;
  trace: MessageTrace;
  surges: Surges;
  overview: () => Promise<Overview>;
  samples: Pick<Samples, 'list'>;
  presence: () => Promise<PresenceOverview>;
  search: SearchAdmin;
  /** The dashboard of the queues; null without admin tokens. */
  board: Hono<HttpEnv> | null;
  noteRefusal: HttpParts['noteRefusal'];
  audit: HttpParts['audit'];
};

function readQuery(context: Context) {
  const { reason: reasonText, after, limit: limitText = '50' } = context.req.query();
  const reason = deadLetterReasons.find((one) => one === reasonText);
  if (reasonText !== undefined && reason === undefined)
    throw badRequest(`reason: one of ${deadLetterReasons.join(', ')}`);
  const limit = Number(limitText);
  if (!Number.isInteger(limit) || limit < 1 || limit > 200) throw badRequest('limit: 1 to 200');
  if (after !== undefined && !idPattern.test(after)) throw badRequest('after: an id');
  return { limit, ...(reason === undefined ? {} : { reason }), ...(after === undefined ? {} : { after }) };
}

/** The admin page for operators, and what it shows as JSON. */
export function adminRoutes({
  tokens,
  redis,
  keys,
  deadLetters,
  replay,
  trace,
  surges,
  overview,
  samples,
  presence,
  search,
  board,
  noteRefusal,
  audit,
}: AdminParts): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>({ strict: false });
  app.onError(createRefuse(noteRefusal));
  app.use(adminAccess(tokens, audit, noteRefusal));
  // For a phone on a poor network: an hour of samples is some 100 kB of JSON.
  for (const path of ['/', '/page/*', '/docs/*', '/api/curves']) app.use(path, compress());
  app.route('/', pageRoutes());
  app.route('/docs', docsRoutes());

  if (board !== null) app.get('/queues/', (context) => context.redirect('/admin/queues')).route('/queues', board);
  app.get('/api/overview', async (context) => context.json(await orRetryLater(overview())));
  app.get('/api/curves', async (context) => {
    const after = Number(context.req.query('after') ?? 0);
    if (!Number.isSafeInteger(after) || after < 0) throw badRequest('after: a time in ms since 1970');
    return context.json({ everyMs: sampleEveryMs, ...(await samples.list(after)) });
  });
  app.get('/api/partitions', async (context) =>
    context.json({ partitions: await orRetryLater(readPartitions(redis, keys)) }),
  );
  app.get('/api/dead-letters', async (context) => {
    const found = await orRetryLater(deadLetters.list(readQuery(context)));
    const isAskedFor = context.req.query('content') === '1';
    return context.json(
      isAskedFor ? found : { ...found, deadLetters: found.deadLetters.map((letter) => withoutContent(letter)) },
    );
  });
  app.post('/api/dead-letters/:id/replay', async (context) => {
    const id = context.req.param('id');
    const state = idPattern.test(id) ? await orRetryLater(replay(id)) : 'unknown';
    if (state === 'unknown') throw new Refusal('not_found', 'no such dead letter');
    return context.json({ id, state }, state === 'requested' ? 202 : 200);
  });
  const surge = async () => ({ mode: await surges.mode(), partitions: await surges.all() });
  app.get('/api/surge', async (context) => context.json(await surge()));
  app.post('/api/surge', async (context) => {
    const asked = (await context.req.json().catch(() => null)) as { mode?: unknown } | null;
    const mode = surgeModes.find((one) => one === asked?.mode);
    if (mode === undefined) throw badRequest(`mode: one of ${surgeModes.join(', ')}`);
    context.set('detail', { mode });
    await surges.setMode(mode);
    return context.json(await surge());
  });
  app.get('/api/presence', async (context) => context.json(await orRetryLater(presence())));
  app.get('/api/search', async (context) => context.json(await orRetryLater(search.state())));
  app.post('/api/search/rebuild', async (context) => context.json(await orRetryLater(search.rebuild()), 202));
  app.get('/api/trace/:id', async (context) => {
    const conversation = context.req.query('conversation');
    if (conversation !== undefined && !idPattern.test(conversation)) throw badRequest('conversation: an id');
    const found = await orRetryLater(trace(context.req.param('id'), conversation));
    return context.json({ ...found, lines: traceLines(found) });
  });
  app.all('*', noSuchRoute);
  return app;
}
