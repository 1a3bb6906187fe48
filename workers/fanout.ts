import { readNotifyAfter } from '../shared/redis/notify-after.ts';
import { createFanout } from './fanout/fanout.ts';
import { createOutdated } from './fanout/outdated.ts';
import { createPace } from './fanout/pace.ts';
import { createPassing } from './fanout/passing.ts';
import { createRecipients } from './fanout/recipients.ts';
import { runGroup } from './stream/run-group.ts';
import { type SharedProcess, startWorker } from './worker.ts';

/** Starts the role `fanout`: group `inbox`. */
export const startFanout = (env: NodeJS.ProcessEnv, shared?: SharedProcess): Promise<void> =>
  startWorker('fanout', env, shared, async (parts) => {
    const { config, redis, keys, log, lifecycle, conversations, deployment } = parts;
    const recipients = createRecipients(conversations);
    const passing = createPassing(redis, keys);
    const outdated = createOutdated(redis, keys);
    const pace = createPace(keys.partitions);
    deployment.onRun(recipients.forget);
    deployment.onRun(passing.forget);
    deployment.onRun(outdated.forget);
    const notifyAfter = readNotifyAfter(redis, keys, config.notifyAfterMs);
    lifecycle.opened('notify after', notifyAfter.stop);
    await notifyAfter.look();
    runGroup(
      parts,
      'inbox',
      pace.limits,
      createFanout({
        redis,
        keys,
        log,
        recipients,
        founders: conversations.founders,
        bury: parts.bury,
        closed: parts.openAgain,
        evidence: deployment.evidence,
        passing,
        outdated,
        pace,
        inboxMaxEntries: config.INBOX_MAX_ENTRIES,
        notifyAfterMs: () => notifyAfter.ms ?? config.notifyAfterMs,
      }),
    );
  });
