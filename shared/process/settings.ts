import { z } from 'zod';
import { levels } from '../model/levels.ts';
import { kindPattern } from '../model/model.ts';
import { defaultRateLimits, parseRateLimits } from '../model/rate-limits.ts';

/**
 * Every environment variable: its parser, its default as text ('' = none) and what it means. `.env.example` is
 * generated from this table, and config.ts turns it into the configuration. The file is long because it is one table.
 */

function whole(least: number, most: number) {
  const fault = `must be a whole number from ${least} to ${most}`;
  return z.string().regex(/^\d+$/, fault).transform(Number).pipe(z.number(fault).min(least, fault).max(most, fault));
}

const flag = z
  .enum(['', '0', '1', 'true', 'false'], 'must be 1 or true, 0 or false')
  .transform((text) => text === '1' || text === 'true');

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== ''),
);

const secrets = list.refine(
  (all) => all.every((one) => Buffer.byteLength(one) >= 32),
  'each secret must have at least 32 bytes',
);

const adminTokens = list.refine(
  (all) => all.every((one) => one.length >= 16),
  'each token must have at least 16 characters',
);

const scopeToken = z.string().regex(/^[!#-[\]-~]+$/, 'must be one word of a scope: no spaces, quotes or backslashes');

const webhookSecrets = list
  .refine(
    (all) => all.every((one) => /^whsec_[A-Za-z0-9+/_-]{2,}={0,2}$/.test(one)),
    'each secret must be whsec_ and base64',
  )
  .refine(
    (all) => all.every((one) => Buffer.from(one.slice('whsec_'.length), 'base64').length >= 16),
    'each secret must stand for at least 16 bytes',
  );

const webUrl = z
  .string()
  .refine((text) => text === '' || /^https?:\/\/./.test(text), 'must be an http:// or https:// URL');

const redisUrl = z
  .string()
  .refine(
    (text) => /^rediss?:\/\/./.test(text) || /^rediss?\+cluster:\/\/./.test(text),
    'must begin with redis:// or rediss://',
  )
  .refine(
    (text) => !text.includes(',') && !/^rediss?\+cluster:/.test(text),
    'names a Redis Cluster, which this version does not serve yet; give one redis:// URL',
  );

const historyUrl = z
  .string()
  .refine(
    (text) => text === '' || /^(sqlite:.|mongodb(\+srv)?:\/\/.)/.test(text),
    'must be sqlite:PATH or mongodb://…',
  );

const coldUrl = z.string().refine((text) => text === '' || /^file:./.test(text), 'must be file: and a folder');

const searchUrl = z
  .string()
  .refine((text) => text === '' || text === 'off' || /^sqlite:./.test(text), 'must be off or sqlite:PATH');

const searchKinds = list.refine(
  (all) => all.length > 0 && all.every((kind) => kind === '*' || kindPattern.test(kind)),
  'each kind must be 1 to 32 small letters, digits, dots, _ or -, or * for all',
);

const keyPrefix = z.string().regex(/^[A-Za-z0-9_-]{1,32}$/, 'must be 1 to 32 letters, digits, _ or -');

const rateLimits = z.string().transform((text, context) => {
  const { limits, faults } = parseRateLimits(text);
  for (const message of faults) context.addIssue({ code: 'custom', message });
  return limits;
});

const level = z.enum(levels, `must be ${levels.join(', ')}`);

/** How `durable` is reached. `auto` takes the first of the others that Redis can do. */
const durableBy = ['auto', 'always', 'waitaof', 'replicas', 'none'] as const;
export type DurableBy = (typeof durableBy)[number];

export const settings = {
  PORT: { parse: whole(0, 65_535), default: '8080', help: 'Port of this process; 0 takes a free one and prints it.' },
  HOST: { parse: z.string().min(1), default: '127.0.0.1', help: 'Address to listen on; the container sets 0.0.0.0.' },
  REDIS_URL: {
    parse: redisUrl,
    default: 'redis://127.0.0.1:6379',
    help: 'redis:// or rediss://. `npm start` brings a Redis of its own when it is not set.',
  },
  HISTORY_URL: {
    parse: historyUrl,
    default: '',
    help: 'sqlite:PATH or mongodb://…; without it sqlite:<DATA_DIR>/history.db.',
  },
  AUTH_SECRET: {
    parse: secrets,
    default: '',
    help:
      'Secrets of the HS256 tokens, at least 32 bytes each, comma-separated: the first signs, all verify. ' +
      '`npm start` generates one.',
  },
  AUTH_JWKS_URL: {
    parse: webUrl,
    default: '',
    help: 'Where the keys of the tokens are published (JWKS), in place of AUTH_SECRET.',
  },
  AUTH_AUDIENCE: {
    parse: list,
    default: '',
    help: 'What a token must name in `aud`, comma-separated: one of them is enough. Without it `aud` is not checked.',
  },
  AUTH_ISSUER: {
    parse: list,
    default: '',
    help: 'What a token must name in `iss`, comma-separated: one of them. Without it `iss` is not checked.',
  },
  AUTH_SERVICE_SCOPE: {
    parse: scopeToken,
    default: 'service',
    help: "The word in `scope` that makes a token a back end's.",
  },
  ADMIN_TOKEN: {
    parse: adminTokens,
    default: '',
    help: 'Tokens of the admin routes, at least 16 characters each, comma-separated; without one they answer 404.',
  },
  ADMIN_WRITE: {
    parse: flag,
    default: '',
    help: '1 lets the queue dashboard at /admin/queues change jobs; without it, it only shows them.',
  },
  PARTITIONS: { parse: whole(1, 1024), default: '4', help: 'Number of message streams. Fixed at the first start.' },
  INBOX_SHARDS: { parse: whole(1, 16_384), default: '64', help: 'Number of inbox shards. Fixed at the first start.' },
  DATA_DIR: {
    parse: z.string().min(1),
    default: 'data',
    help: 'Where `npm start`, SQLite and the command line keep their files.',
  },
  INBOX_MAX_ENTRIES: {
    parse: whole(100, 1_000_000),
    default: '2000',
    help: 'Entries that an inbox holds before the oldest become a gap.',
  },
  INBOX_RETENTION_DAYS: { parse: whole(1, 3650), default: '7', help: 'Days that a normal message stays in an inbox.' },
  IMPORTANT_RETENTION_DAYS: {
    parse: whole(1, 3650),
    default: '30',
    help: 'Days that an important message stays in an inbox. The least that history may keep one conversation for.',
  },
  HISTORY_RETENTION_DAYS: {
    parse: whole(0, 36_500),
    default: '183',
    help: 'Days that history keeps a message; 0: for ever. A conversation may have days of its own (`historyDays`).',
  },
  PURGE_MINUTES: {
    parse: whole(1, 5_256_000),
    default: '60',
    help:
      'Minutes after a recall or an edit in which the old body is also taken out of stored blocks. Nobody reads it ' +
      'from the recall or edit on.',
  },
  UNLOAD_AFTER_DAYS: {
    parse: whole(0, 36_500),
    default: '30',
    help: 'Days without a message after which a conversation leaves Redis, where only a mark of it stays; 0: never.',
  },
  COLD_URL: {
    parse: coldUrl,
    default: '',
    help:
      'Where the texts of old blocks of history are moved: file:FOLDER, which every process must reach; one folder ' +
      'for one deployment. Without it they stay in the store. Once something was moved it must stay set.',
  },
  COLD_AFTER_DAYS: {
    parse: whole(1, 36_500),
    default: '90',
    help: 'Days after which a block of history is moved to COLD_URL.',
  },
  SEARCH_URL: {
    parse: searchUrl,
    default: '',
    help:
      'Where the processes of the line search keep their index: sqlite:PATH, or off for no search; without it ' +
      'sqlite:<DATA_DIR>/search.db. Gateways only look whether it is off.',
  },
  SEARCH_KINDS: {
    parse: searchKinds,
    default: 'text,file,location',
    help: 'Kinds of messages that can be found, comma-separated; * for all but those of the server.',
  },
  DEDUPE_MINUTES: {
    parse: whole(1, 1440),
    default: '60',
    help: 'Minutes within which a clientId sent again gives the first answer again (less than 10 count as 10).',
  },
  RECALL_MINUTES: {
    parse: whole(0, 5_256_000),
    default: '1440',
    help: 'Minutes within which senders may recall their messages; 0: no limit. Service tokens have none.',
  },
  EDIT_MINUTES: {
    parse: whole(0, 5_256_000),
    default: '1440',
    help: 'Minutes within which senders may edit their messages; 0: no limit. Service tokens have none.',
  },
  FANOUT_MAX_MEMBERS: {
    parse: whole(1, 100_000),
    default: '500',
    help:
      'Members above which the messages of a group have no inbox entries: one publish reaches who is online, a gap ' +
      'tells who was not.',
  },
  SHORT_WAY: {
    parse: flag,
    default: '1',
    help:
      '1: small direct messages go into both inboxes in the step that accepts them, past the fanout. 0: all ' +
      'messages go to inboxes by the fanout.',
  },
  ACK_LEVEL: {
    parse: level,
    default: 'accepted',
    help:
      'What a send without `level` waits for: accepted, durable or stored. A level that this deployment cannot give ' +
      'stops the start.',
  },
  ACK_WAIT_MS: {
    parse: whole(1, 60_000),
    default: '5000',
    help: 'Milliseconds that an answer waits for its level; then it says which level was reached.',
  },
  DURABLE_BY: {
    parse: z.enum(durableBy, `must be ${durableBy.join(', ')}`),
    default: 'auto',
    help:
      'What makes a message durable: always (appendfsync always), waitaof (WAITAOF), replicas (WAIT), none, or auto: ' +
      'the first of them that Redis can do. A wrong claim stops the start.',
  },
  DURABLE_REPLICAS: {
    parse: whole(0, 100),
    default: '0',
    help: 'Replicas of Redis that must have a message too before it is durable.',
  },
  MAX_CONNECTIONS: {
    parse: whole(0, 1_000_000),
    default: '100000',
    help: 'Connections that one gateway takes; 0 = no limit. Health routes are answered beyond it too.',
  },
  MAX_UNAUTHENTICATED_PER_ADDRESS: {
    parse: whole(0, 1_000_000),
    default: '1000',
    help:
      'Connections of one address (IPv6: /64) to a gateway at a time that have not said hello yet, plain HTTP ones ' +
      'included; 0 = no limit. Behind a proxy set TRUST_PROXY, or all clients are one address.',
  },
  MAX_BODY_BYTES: {
    parse: whole(256, 1_048_576),
    default: '16384',
    help: 'Largest body of a message, as JSON in UTF-8.',
  },
  SEND_RATE_PER_USER: {
    parse: whole(0, 1_000_000),
    default: '100',
    help:
      'Messages a second that a user may send through one gateway, in bursts of twice that; 0 = no limit. A ' +
      'service token is not limited.',
  },
  RATE_LIMITS: {
    parse: rateLimits,
    default: defaultRateLimits,
    help:
      'How often a user may do what, as name=n/period, comma-separated: at most n at once, n again after the ' +
      'period (s, m, h, d). A name that is not given keeps its default; name=off, or off alone for all. A service ' +
      'token is not limited.',
  },
  RECEIPTS: {
    parse: flag,
    default: '1',
    help: '0 turns receipts off: none are written or told, and the feature is not listed.',
  },
  RECEIPTS_MAX_MEMBERS: {
    parse: whole(0, 500),
    default: '100',
    help: 'Members above which a conversation has no receipts; 0: direct conversations have none either.',
  },
  MAX_GROUP_MEMBERS_BY_USER: {
    parse: whole(1, 100_000),
    default: '1000',
    help: 'Most members of a group that a user creates or adds members to; a service token fills it up to 100000.',
  },
  BACKLOG_MAX_ENTRIES: {
    parse: whole(100, 10_000_000),
    default: '100000',
    help:
      'Unsettled entries of one message stream above which sends and changes of groups are answered with ' +
      'retry_later.',
  },
  DRAIN_MS: {
    parse: whole(0, 7000),
    default: '5000',
    help: 'Milliseconds over which a stopping gateway spreads its goodbyes.',
  },
  RESERVED_GROUP_PREFIX: {
    parse: z.string().regex(/^[A-Za-z0-9_-]{0,32}$/, 'must be up to 32 letters, digits, _ or -'),
    default: '',
    help: 'Groups whose ids begin with it are created by service tokens alone; without it users may take any id.',
  },
  ALLOWED_ORIGINS: {
    parse: list,
    default: '',
    help:
      'Origins of web pages that may connect, comma-separated; the same origin and clients without one always may. ' +
      'Also drives CORS of /v1.',
  },
  NOTIFY_URL: {
    parse: webUrl,
    default: '',
    help: 'Webhook that is called for users who are away; without it nobody is notified.',
  },
  NOTIFY_SECRET: {
    parse: webhookSecrets,
    default: '',
    help:
      'Secrets (whsec_ and base64, at least 16 bytes) that all sign the webhook, comma-separated; without one it ' +
      'is not signed.',
  },
  NOTIFY_AFTER_MS: {
    parse: whole(0, 86_400_000),
    default: '10000',
    help: 'Milliseconds without a device receiving before the webhook is called.',
  },
  NOTIFY_WINDOW_MS: {
    parse: whole(0, 86_400_000),
    default: '60000',
    help: 'Milliseconds within which one user causes at most one webhook call, retries aside.',
  },
  PRESENCE: {
    parse: flag,
    default: '1',
    help: '0: presence is neither told nor answered, and the feature is not served.',
  },
  PRESENCE_OFFLINE_AFTER_MS: {
    parse: whole(0, 600_000),
    default: '10000',
    help: 'Milliseconds without any device after which those who watch a user hear that it is offline.',
  },
  TYPING_MAX_MEMBERS: {
    parse: whole(0, 500),
    default: '50',
    help: 'Most members of a conversation in which `typing` is passed on; 0: it is passed to nobody.',
  },
  TRUST_PROXY: {
    parse: flag,
    default: '',
    help:
      '1 when a reverse proxy sets X-Forwarded-Host, and adds the address of its client at the end of ' +
      'X-Forwarded-For.',
  },
  TELEMETRY: {
    parse: flag,
    default: '',
    help: '1 makes OpenTelemetry spans of sends, batches and jobs, for an SDK that is loaded into the process.',
  },
  KEY_PREFIX: { parse: keyPrefix, default: 'rst', help: 'Every Redis key, channel and queue begins with it.' },
  NODE_ENV: { parse: z.string(), default: '', help: '`production` turns off the chat app at / and its demo users.' },
} as const;

export type SettingName = keyof typeof settings;
type SettingValue<Name extends SettingName> = z.output<(typeof settings)[Name]['parse']>;
export type SettingValues = { readonly [Name in SettingName]: SettingValue<Name> };
