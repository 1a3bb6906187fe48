import { createFanout } from './fanout/fanout.ts';
import { createRecipients } from './fanout/recipients.ts';
import { configuredChannels } from './notifications/channels/configured.ts';
import { runGroup } from './stream/run-group.ts';
import { startWorker } from './worker.ts';

/** Process `fanout`: group `inbox`. */
await startWorker('fanout', process.env, (parts) => {
  const { config, redis, keys, log, conversations, deployment } = parts;
  const recipients = createRecipients(conversations);
  deployment.onRun(recipients.forget);
  runGroup(
    parts,
    'inbox',
    () => ({ entries: 256, pauseFrom: Infinity, pauseTo: Infinity, pauseMs: 0 }),
    createFanout({
      redis,
      keys,
      log,
      recipients,
      founders: conversations.founders,
      bury: parts.bury,
      closed: parts.openAgain,
      evidence: deployment.evidence,
      inboxMaxEntries: config.INBOX_MAX_ENTRIES,
      notifyAfterMs: configuredChannels(config).length === 0 ? 0 : Math.max(1, config.NOTIFY_AFTER_MS),
    }),
  );
});
