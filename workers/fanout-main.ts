import { createFanout } from './fanout.ts';
import { runGroup } from './group-worker.ts';
import { createParking } from './parking.ts';
import { createRecipients } from './recipients.ts';
import { startWorker } from './worker.ts';

/** Process `fanout`: group `inbox`. */
await startWorker('fanout', process.env, (parts) => {
  const { config, redis, keys, log, conversations, deployment, lifecycle } = parts;
  runGroup(parts, 'inbox', { entries: 256, pauseFrom: Infinity, pauseMs: 0 }, createFanout({
    redis,
    keys,
    log,
    recipients: createRecipients(conversations.read),
    park: createParking(redis, keys, log),
    closed: () => void deployment.open().catch(lifecycle.fail),
    inboxMaxEntries: config.INBOX_MAX_ENTRIES,
  }));
});
