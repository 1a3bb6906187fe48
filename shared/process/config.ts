import { join } from 'node:path';
import { keptMs } from '../model/retention.ts';
import { type SettingName, type SettingValues, settings } from './settings.ts';

/**
 * Clients' clocks may be 5 minutes ahead: a pool of known clientIds that knows less than that would have history
 * searched for new UUIDv7. Twice that leaves time for those that come late.
 */
const leastDedupeMs = 10 * 60_000;

/** The environment, parsed, with derived values in the units that the code uses. Secrets never appear in a log. */
export type Config = SettingValues & {
  readonly historyUrl: string;
  /** `off`, or `sqlite:` and a path. */
  readonly searchUrl: string;
  readonly inboxRetentionMs: number;
  readonly importantRetentionMs: number;
  readonly historyRetentionMs: number;
  readonly purgeMs: number;
  readonly unloadAfterMs: number;
  readonly coldAfterMs: number;
  readonly dedupeMs: number;
  /** As NOTIFY_AFTER_MS, at least 1; 0 if nobody is notified. */
  readonly notifyAfterMs: number;
  /** Largest WebSocket frame and HTTP body: a body may arrive in a longer spelling than the one that is stored. */
  readonly maxFrameBytes: number;
  /** Largest HTTP body of a user's token: a frame, or the members of the largest group that a user may create. */
  readonly maxUserBodyBytes: number;
};

/** Everything that is wrong with the environment, one sentence each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(`the environment cannot be used:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

/**
 * Parses the environment. Throws ConfigError with every fault when anything is wrong. `needs` names what this process
 * cannot do without: only a gateway needs to verify tokens.
 */
export function loadConfig(env: NodeJS.ProcessEnv, needs: { auth: boolean }): Config {
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(settings) as SettingName[]) {
    const given = env[name]?.trim();
    const parsed = settings[name].parse.safeParse(given === undefined || given === '' ? settings[name].default : given);
    if (parsed.success) values[name] = parsed.data;
    else faults.push(`${name}: ${parsed.error.issues.map((issue) => issue.message).join('; ')}`);
  }
  // A value that is wrong by itself is absent here: nothing is said about it twice.
  const known = values as SettingValues;
  if (needs.auth && known.AUTH_SECRET?.length === 0 && known.AUTH_JWKS_URL === '') {
    faults.push('AUTH_SECRET: give it or AUTH_JWKS_URL, or nobody can be authenticated');
  }
  if (known.IMPORTANT_RETENTION_DAYS < known.INBOX_RETENTION_DAYS) {
    faults.push('IMPORTANT_RETENTION_DAYS: must not be shorter than INBOX_RETENTION_DAYS');
  }
  if (known.DURABLE_BY === 'replicas' && known.DURABLE_REPLICAS === 0) {
    faults.push('DURABLE_REPLICAS: must be at least 1 with DURABLE_BY=replicas');
  }
  if (known.DURABLE_BY === 'none' && known.DURABLE_REPLICAS > 0) {
    faults.push('DURABLE_REPLICAS: has no effect with DURABLE_BY=none');
  }
  if (known.DURABLE_BY === 'none' && known.ACK_LEVEL === 'durable') {
    faults.push('ACK_LEVEL: durable cannot be given with DURABLE_BY=none');
  }
  if (faults.length > 0) throw new ConfigError(faults);
  const maxFrameBytes = known.MAX_BODY_BYTES * 3 + 16_384;
  return Object.freeze({
    ...known,
    historyUrl: known.HISTORY_URL === '' ? `sqlite:${join(known.DATA_DIR, 'history.db')}` : known.HISTORY_URL,
    searchUrl: known.SEARCH_URL === '' ? `sqlite:${join(known.DATA_DIR, 'search.db')}` : known.SEARCH_URL,
    inboxRetentionMs: keptMs(known.INBOX_RETENTION_DAYS),
    importantRetentionMs: keptMs(known.IMPORTANT_RETENTION_DAYS),
    historyRetentionMs: keptMs(known.HISTORY_RETENTION_DAYS),
    purgeMs: known.PURGE_MINUTES * 60_000,
    unloadAfterMs: keptMs(known.UNLOAD_AFTER_DAYS),
    coldAfterMs: keptMs(known.COLD_AFTER_DAYS),
    dedupeMs: Math.max(leastDedupeMs, known.DEDUPE_MINUTES * 60_000),
    notifyAfterMs: known.NOTIFY_URL === '' ? 0 : Math.max(1, known.NOTIFY_AFTER_MS),
    maxFrameBytes,
    maxUserBodyBytes: Math.max(maxFrameBytes, known.MAX_GROUP_MEMBERS_BY_USER * 64),
  });
}

/** The text of `.env.example`. */
export function envExample(): string {
  const lines = Object.entries(settings).map(([name, { default: value, help }]) => `# ${help}\n#${name}=${value}\n`);
  const head =
    '# Every variable with its default. Generated from shared/process/settings.ts; a test holds the two together.';
  return `${head}\n\n${lines.join('\n')}`;
}
