/**
 * How often a user may do what: at most `most` at once, and as many again after the period. A leaky bucket: it empties
 * evenly, so after a part of the period there is room for that part. The names are those of `RATE_LIMITS`; some belong
 * to features to come.
 */
export type RateLimit = { most: number; periodMs: number };

/** Counted for a user over all gateways, in Redis: what others have to bear for long. */
export const sharedBudgets = ['create', 'member', 'change', 'setting'] as const;
/** Counted for a user by each gateway, in memory: what costs a moment. */
export const ownBudgets = ['read', 'frame', 'hello', 'search', 'react'] as const;

export type SharedBudget = (typeof sharedBudgets)[number];
export type OwnBudget = (typeof ownBudgets)[number];
/** null: not limited. */
export type RateLimits = Readonly<Record<SharedBudget | OwnBudget, RateLimit | null>>;

export const defaultRateLimits =
  'create=60/1h,member=1200/1h,change=240/1h,read=100/1s,frame=400/1s,hello=240/1m,' +
  'setting=300/1m,search=5/1s,react=20/2s';

const names = [...sharedBudgets, ...ownBudgets] as const;
const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const limitPattern = /^([1-9]\d{0,8})\/([1-9]\d{0,5})([smhd])$/;
/** Longer periods would let a bucket outlive what it protects from. */
const mostPeriodMs = 30 * unitMs.d;

/**
 * Reads `name=n/period,…`, where a period is a number and s, m, h or d; `name=off` for one, `off` alone for all. Names
 * that are not given keep their default. Every fault is told; the limits count for nothing where there is one.
 */
export function parseRateLimits(text: string): { limits: RateLimits; faults: string[] } {
  const faults: string[] = [];
  const given = new Map<string, RateLimit | null>();
  const limitOf = (name: string, value: string): RateLimit | null => {
    if (value === 'off') return null;
    const found = limitPattern.exec(value);
    const periodMs = found === null ? 0 : Number(found[2]) * unitMs[found[3] as keyof typeof unitMs];
    if (found === null || periodMs > mostPeriodMs)
      faults.push(`${name}=${value}: must be n/period such as 60/1h, with s, m, h or d and at most 30d, or off`);
    return { most: Number(found?.[1]), periodMs };
  };
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (parts.length === 1 && parts[0] === 'off') {
    for (const name of names) given.set(name, null);
  } else {
    for (const part of parts) {
      const equals = part.indexOf('=');
      const name = equals === -1 ? part : part.slice(0, equals).trim();
      if (part === 'off') faults.push('off: turns all limits off and stands alone');
      else if (!(names as readonly string[]).includes(name))
        faults.push(`${name}: no such limit; there are ${names.join(', ')}`);
      else if (given.has(name)) faults.push(`${name}: given more than once`);
      else given.set(name, limitOf(name, equals === -1 ? '' : part.slice(equals + 1).trim()));
    }
  }
  const missing = names.filter((name) => !given.has(name));
  const standard = missing.length > 0 && text !== defaultRateLimits ? parseRateLimits(defaultRateLimits).limits : null;
  return {
    limits: Object.fromEntries(
      names.map((name) => [name, given.has(name) ? given.get(name)! : (standard?.[name] ?? null)]),
    ) as RateLimits,
    faults,
  };
}
