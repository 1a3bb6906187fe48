import { describe, expect, test } from 'vitest';
import { ConfigError, loadConfig } from '../../../../shared/process/config.ts';
import { settings } from '../../../../shared/process/settings.ts';

const secret = 'a secret of more than thirty-two bytes';
const load = (env: NodeJS.ProcessEnv = {}) => loadConfig({ AUTH_SECRET: secret, ...env }, { auth: true });

function faultsOf(env: NodeJS.ProcessEnv, needs = { auth: true }): readonly string[] {
  try {
    loadConfig(env, needs);
  } catch (thrown) {
    if (thrown instanceof ConfigError) return thrown.faults;
    throw thrown;
  }
  return [];
}

describe('defaults', () => {
  test('are the documented ones', () => {
    expect(load()).toMatchObject({
      PORT: 8080,
      HOST: '127.0.0.1',
      REDIS_URL: 'redis://127.0.0.1:6379',
      PARTITIONS: 4,
      INBOX_SHARDS: 64,
      DATA_DIR: 'data',
      INBOX_MAX_ENTRIES: 2000,
      INBOX_RETENTION_DAYS: 7,
      IMPORTANT_RETENTION_DAYS: 30,
      HISTORY_RETENTION_DAYS: 183,
      DEDUPE_MINUTES: 60,
      FANOUT_MAX_MEMBERS: 500,
      MAX_BODY_BYTES: 16_384,
      SEND_RATE_PER_USER: 100,
      MAX_GROUP_MEMBERS_BY_USER: 1000,
      DRAIN_MS: 5000,
      ALLOWED_ORIGINS: [],
      NOTIFY_AFTER_MS: 10_000,
      NOTIFY_WINDOW_MS: 60_000,
      KEY_PREFIX: 'rst',
      ADMIN_TOKEN: [],
      TRUST_PROXY: false,
      historyUrl: 'sqlite:data/history.db',
      inboxRetentionMs: 7 * 86_400_000,
      dedupeMs: 3_600_000,
    });
  });

  test('hold for empty values, and nothing can be changed afterwards', () => {
    const config = load({ PORT: '', KEY_PREFIX: '  ' });
    expect(config).toMatchObject({ PORT: 8080, KEY_PREFIX: 'rst' });
    expect(Object.isFrozen(config)).toBe(true);
  });
});

describe('values', () => {
  test('lists are split at commas', () => {
    const other = 'another secret that is long enough too';
    const config = load({
      AUTH_SECRET: `${secret}, ${other}`,
      ADMIN_TOKEN: 'sixteen-letters-1,sixteen-letters-2,',
      ALLOWED_ORIGINS: 'https://a.example,https://b.example',
    });
    expect(config.AUTH_SECRET).toEqual([secret, other]);
    expect(config.ADMIN_TOKEN).toEqual(['sixteen-letters-1', 'sixteen-letters-2']);
    expect(config.ALLOWED_ORIGINS).toEqual(['https://a.example', 'https://b.example']);
  });

  test('put the history into DATA_DIR by default', () => {
    expect(load({ DATA_DIR: '/var/lib/x' }).historyUrl).toBe('sqlite:/var/lib/x/history.db');
    expect(load({ DATA_DIR: '/var/lib/x', HISTORY_URL: 'mongodb://db/x' }).historyUrl).toBe('mongodb://db/x');
  });

  test('0 days mean that history keeps everything, and that nothing is unloaded', () => {
    expect(load()).toMatchObject({ historyRetentionMs: 183 * 86_400_000, unloadAfterMs: 30 * 86_400_000 });
    expect(load({ HISTORY_RETENTION_DAYS: '0', UNLOAD_AFTER_DAYS: '0' })).toMatchObject({
      historyRetentionMs: Infinity,
      unloadAfterMs: Infinity,
    });
  });

  test('a body of any allowed size fits into a frame, also with every character escaped once', () => {
    for (const bytes of [256, 16_384, 1_048_576])
      expect(load({ MAX_BODY_BYTES: `${bytes}` }).maxFrameBytes).toBeGreaterThan(bytes * 3);
  });
});

describe('faults', () => {
  const wrong: [string, string][] = [
    ['PORT', '-1'],
    ['PORT', '65536'],
    ['PORT', '80.5'],
    ['PORT', '0x50'],
    ['PORT', 'http'],
    ['REDIS_URL', 'http://127.0.0.1'],
    ['REDIS_URL', 'localhost'],
    ['HISTORY_URL', 'postgres://x'],
    ['HISTORY_URL', 'sqlite:'],
    ['AUTH_SECRET', 'short'],
    ['AUTH_SECRET', `${secret},short`],
    ['AUTH_JWKS_URL', 'ftp://x'],
    ['PARTITIONS', '0'],
    ['INBOX_SHARDS', '0'],
    ['INBOX_MAX_ENTRIES', '99'],
    ['INBOX_RETENTION_DAYS', '0'],
    ['DEDUPE_MINUTES', '0'],
    ['MAX_BODY_BYTES', 'many'],
    ['SEND_RATE_PER_USER', '-5'],
    ['DRAIN_MS', '1e3'],
    ['NOTIFY_URL', 'javascript:x'],
    ['NOTIFY_SECRET', 'secret'],
    ['NOTIFY_SECRET', 'whsec_c2hvcnQ='],
    ['ADMIN_TOKEN', 'fifteen-letters'],
    ['ADMIN_TOKEN', 'a-token-that-is-long-enough,short'],
    ['AUTH_SERVICE_SCOPE', 'a service'],
    ['RESERVED_GROUP_PREFIX', 'team:'],
    ['MAX_CONNECTIONS', 'many'],
    ['RATE_LIMITS', 'create=5'],
    ['RATE_LIMITS', 'create=5/1h,sends=5/1s,read=x'],
    ['MAX_GROUP_MEMBERS_BY_USER', '0'],
    ['MAX_GROUP_MEMBERS_BY_USER', '100001'],
    ['KEY_PREFIX', 'a{b}'],
    ['KEY_PREFIX', 'a:b'],
    ['TRUST_PROXY', 'maybe'],
  ];

  test.each(wrong)('%s=%s names the variable', (name, value) => {
    const faults = faultsOf({ AUTH_SECRET: secret, [name]: value });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(new RegExp(`^${name}: `));
  });

  test('are all reported at once, including those between variables', () => {
    const faults = faultsOf({ PORT: 'x', PARTITIONS: '0', KEY_PREFIX: '*', INBOX_RETENTION_DAYS: '40' });
    expect(faults.map((fault) => fault.slice(0, fault.indexOf(':')))).toEqual([
      'PORT',
      'PARTITIONS',
      'KEY_PREFIX',
      'AUTH_SECRET',
      'IMPORTANT_RETENTION_DAYS',
    ]);
  });

  test('include a missing way to authenticate only for processes that authenticate', () => {
    expect(faultsOf({})).toEqual([expect.stringMatching(/^AUTH_SECRET: /)]);
    expect(faultsOf({ AUTH_JWKS_URL: 'https://id.example/jwks' })).toEqual([]);
    expect(faultsOf({}, { auth: false })).toEqual([]);
  });

  test.each([
    [{ ACK_LEVEL: 'eternal' }, ['ACK_LEVEL']],
    [{ ACK_WAIT_MS: '0', DURABLE_BY: 'luck' }, ['ACK_WAIT_MS', 'DURABLE_BY']],
    [{ DURABLE_BY: 'replicas' }, ['DURABLE_REPLICAS']],
    [{ DURABLE_BY: 'replicas', DURABLE_REPLICAS: '1', ACK_LEVEL: 'durable' }, []],
    [{ DURABLE_BY: 'none', ACK_LEVEL: 'durable', DURABLE_REPLICAS: '1' }, ['DURABLE_REPLICAS', 'ACK_LEVEL']],
    [{ DURABLE_BY: 'none', ACK_LEVEL: 'stored' }, []],
  ])('of levels: %j', (env, named) => {
    const faults = faultsOf({ AUTH_SECRET: secret, ...env });
    expect(faults.map((fault) => fault.slice(0, fault.indexOf(':')))).toEqual(named);
  });

  test('never repeat a secret', () => {
    expect(faultsOf({ AUTH_SECRET: 'hunter2' }).join()).not.toContain('hunter2');
  });
});

test('gives every setting a default that passes its own check', () => {
  for (const [name, { parse, default: value }] of Object.entries(settings)) {
    expect({ name, success: parse.safeParse(value).success }).toEqual({ name, success: true });
  }
});
