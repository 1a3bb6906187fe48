import { parseArgs } from 'node:util';
import { readServerMemory } from '../shared/redis/server-memory.ts';
import type { Command } from './command.ts';
import { UsageError } from './context.ts';
import { type KindUse, oldestEntry, sampleKeys, wouldBe } from './key-use.ts';
import { openOperatorAccess } from './operator-access.ts';

const usage = `usage: npm run cli -- forecast [--retention DAYS] [--users 10x] [--messages 3x] [--samples N] [--json]

Samples the keys of the running deployment. Shows what takes Redis' memory, how fast that grows, when its limit is
reached, and what another retention of inboxes, or more users or messages, would take. Exit code 1 when that cannot fit.

  --retention DAYS  if inboxes kept messages for DAYS
  --users 10x       if there were 10 times the users
  --messages 3x     if each user wrote 3 times the messages
  --samples N       keys of each kind whose memory is measured (default 200)
  --json            as JSON`;

const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

function factorOf(name: string, text: string | undefined): number {
  if (text === undefined) return 1;
  const factor = Number(/^(\d+(?:\.\d+)?)x?$/.exec(text)?.[1] ?? Number.NaN);
  if (!(factor > 0)) throw new UsageError(`--${name} must be a factor like 10x, not ${text}`);
  return factor;
}

function readOptions(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      retention: { type: 'string' },
      users: { type: 'string' },
      messages: { type: 'string' },
      samples: { type: 'string', default: '200' },
      json: { type: 'boolean', default: false },
    },
  });
  const samples = Number(values.samples);
  if (!Number.isInteger(samples) || samples < 1 || samples > 100_000)
    throw new UsageError(`--samples must be 1 to 100000, not ${values.samples}`);
  const days = values.retention === undefined ? null : Number(values.retention);
  if (days !== null && !(days > 0)) throw new UsageError(`--retention must be days, not ${values.retention}`);
  return { ...values, samples, days };
}

/** A forecast in bytes. `maxBytes` 0: Redis has no limit. */
type Outlook = {
  uses: KindUse[];
  usedBytes: number;
  maxBytes: number;
  /** With the requested users, messages and retention, as if they had applied from the start. */
  wantedBytes: number;
  /** Once inboxes have been kept for the whole retention. */
  fullBytes: number;
  /** Null if the deployment is too young to tell. */
  perDayBytes: number | null;
  /** Until the limit is reached; null if that never happens or cannot be known. */
  daysLeft: number | null;
  fits: boolean;
};

function outlookOf(
  uses: KindUse[],
  { usedBytes, maxBytes }: { usedBytes: number; maxBytes: number },
  factor: Parameters<typeof wouldBe>[1],
  ageDays: number,
  keptDays: number,
): Outlook {
  const counted = uses.reduce((sum, { bytes }) => sum + bytes, 0);
  // Memory outside the keys (allocator, clients, the server itself) is assumed to grow with them.
  const overhead = counted === 0 ? 1 : Math.max(1, usedBytes / counted);
  const wantedBytes = wouldBe(uses, factor) * overhead;
  // Inboxes grow only until the retention has passed once.
  const perDayBytes = ageDays < 0.01 ? null : wantedBytes / Math.min(ageDays, keptDays);
  const fullBytes = ageDays >= keptDays || perDayBytes === null ? wantedBytes : perDayBytes * keptDays;
  const daysLeft =
    maxBytes === 0 || perDayBytes === null || fullBytes <= maxBytes
      ? null
      : Math.max(0, (maxBytes - usedBytes) / perDayBytes);
  const fits = maxBytes === 0 || fullBytes <= 0.9 * maxBytes;
  return { uses, usedBytes, maxBytes, wantedBytes, fullBytes, perDayBytes, daysLeft, fits };
}

/** `asked` names the requested factors; null if there are none. */
function reportLines(outlook: Outlook, keptDays: number, asked: string | null): string[] {
  const { uses, usedBytes, maxBytes, wantedBytes, fullBytes, perDayBytes, daysLeft, fits } = outlook;
  const lines = uses.map(({ kind, keys, bytesEach, bytes }) =>
    [
      `${kind.padEnd(14)} ${String(keys).padStart(9)} keys`,
      `${String(bytesEach).padStart(8)} bytes each`,
      mb(bytes).padStart(12),
    ].join('  '),
  );
  const limit = maxBytes === 0 ? ', and nothing limits it: set maxmemory' : ` of ${mb(maxBytes)}`;
  lines.push(`Redis uses ${mb(usedBytes)}${limit}`);
  if (perDayBytes === null) lines.push('It has not run long enough to say how fast that grows.');
  else {
    const end = daysLeft === null ? '' : `; its limit is reached in ${daysLeft.toFixed(1)} days`;
    lines.push(
      `It grows by about ${mb(perDayBytes)} a day, ` +
        `to ${mb(fullBytes)} once inboxes have been kept for ${keptDays} days${end}.`,
    );
  }
  if (asked !== null) lines.push(`As asked (${asked}) it would use ${mb(wantedBytes)} now.`);
  if (!fits)
    lines.push('This CANNOT fit: sends are refused above nine tenths of the limit. Raise maxmemory, or keep less.');
  return lines;
}

/** Rounds to whole bytes; fractions mean nothing. */
const rounded = ({
  uses,
  usedBytes,
  maxBytes,
  wantedBytes,
  fullBytes,
  perDayBytes,
  daysLeft,
  fits,
}: Outlook): Outlook => ({
  uses,
  usedBytes,
  maxBytes,
  wantedBytes: Math.round(wantedBytes),
  fullBytes: Math.round(fullBytes),
  perDayBytes: perDayBytes === null ? null : Math.round(perDayBytes),
  daysLeft,
  fits,
});

export const forecast: Command = {
  summary: "what takes Redis' memory, and when it will be full",
  usage,
  async run(args, context) {
    const { stdout, signal, doing } = context;
    const options = readOptions(args);
    const access = await openOperatorAccess(context);
    const { redis, config, keys } = access;
    try {
      const retention = options.days === null ? 1 : options.days / config.INBOX_RETENTION_DAYS;
      const factor = {
        users: factorOf('users', options.users),
        messages: factorOf('messages', options.messages),
        retention,
      };
      let scanned = 0;
      doing(() => `scanned ${scanned} keys so far`);
      const [uses, memory, created] = await Promise.all([
        sampleKeys(redis, keys.every, options.samples, signal, (count) => (scanned = count)),
        readServerMemory(redis),
        oldestEntry(redis, keys.everyInbox),
      ]);
      const ageDays = created === null ? 0 : (Date.now() - created) / 86_400_000;
      const keptDays = config.INBOX_RETENTION_DAYS * retention;
      const outlook = outlookOf(uses, memory, factor, ageDays, keptDays);
      if (options.json) {
        stdout.write(`${JSON.stringify(rounded(outlook))}\n`);
        return outlook.fits ? 0 : 1;
      }
      const isSame = wouldBe(uses, { users: 1, messages: 1, retention: 1 }) === wouldBe(uses, factor);
      const asked = [
        `${options.users ?? '1x'} users`,
        `${options.messages ?? '1x'} messages`,
        `${options.days ?? config.INBOX_RETENTION_DAYS} days`,
      ].join(', ');
      stdout.write(`${reportLines(outlook, keptDays, isSame ? null : asked).join('\n')}\n`);
      return outlook.fits ? 0 : 1;
    } finally {
      await access.close();
    }
  },
};
