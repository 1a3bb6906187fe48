import { queueNames, openQueue } from '../../shared/jobs/queues.ts';
import { requestReplay } from '../../shared/jobs/replay-requests.ts';
import { createMessageTrace } from '../../shared/message-trace/message-trace.ts';
import type { Processes } from '../../shared/redis/processes.ts';
import { createSamples } from '../../shared/redis/samples.ts';
import { createSearchNotices } from '../../shared/redis/search-notices.ts';
import { createSurges } from '../../shared/redis/streams/surges.ts';
import { openQueueBoard } from '../admin/open-queue-board.ts';
import { createOverview } from '../admin/overview.ts';
import { createPresenceOverview } from '../admin/presence.ts';
import { adminRoutes } from '../admin/routes.ts';
import { createSearchAdmin } from '../admin/search.ts';
import type { AuditLog } from '../audit-log.ts';
import type { NoteRefusal } from '../error-log.ts';
import type { GatewayContext } from './context.ts';
import type { Jobs } from './jobs.ts';
import type { Searching } from './search.ts';
import type { Stores } from './stores.ts';

/** The admin page and its API. Without an admin token the dashboard of the queues is not loaded. */
export async function createAdmin(
  { config, keys }: GatewayContext,
  { redis, history }: Stores,
  { connection, redelivery, replay, deadLetters }: Jobs,
  processes: Processes,
  { questions }: Searching,
  audit: AuditLog,
  noteRefusal: NoteRefusal,
) {
  const openBoard = () =>
    openQueueBoard(
      queueNames.map((name) => openQueue(name, connection, keys)),
      config.ADMIN_WRITE,
    );
  return adminRoutes({
    tokens: config.ADMIN_TOKEN,
    redis,
    keys,
    deadLetters,
    noteRefusal,
    audit,
    replay: (id) => requestReplay(replay, deadLetters, id),
    surges: createSurges(redis, keys),
    presence: createPresenceOverview(processes),
    overview: createOverview(redis, processes, deadLetters),
    samples: createSamples(redis, keys),
    board: config.ADMIN_TOKEN.length === 0 ? null : await openBoard(),
    search: createSearchAdmin(
      questions,
      createSearchNotices(redis, keys, () => undefined),
      config.searchUrl !== 'off',
    ),
    trace: createMessageTrace({ redis, keys, history, deadLetters, deliveries: redelivery }),
  });
}
