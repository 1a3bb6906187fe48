import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createKeys, fenceOf } from '../../../../shared/redis/keys.ts';

/** Lua may derive a key only from a base that keys.ts gives it, and only with a suffix that keys.ts has too. */

const folder = new URL('../../../../shared/redis/lua/', import.meta.url);
const scripts = readdirSync(folder).map((name) => ({
  name,
  code: readFileSync(new URL(name, folder), 'utf8').replace(/--.*$/gm, ''),
}));
const all = scripts.map(({ code }) => code).join('\n');

const keys = createKeys('rst', 4, 64);
const shard = keys.shardOf('id');

/** What a script writes after `base ..`, with the key of keys.ts for the id `id` (or none, if the suffix has no id). */
const ofPartition: Record<string, string> = {
  'conversation:': keys.conversation(2, 'id'),
  'members:': keys.members(2, 'id'),
  'receipts:': keys.receipts(2, 'id'),
  'sent:': keys.sent(2, 7, 31).replace('7:31', 'id'),
};
const ofShard: Record<string, string> = {
  slot: keys.shardSlot(shard),
  waiting: keys.waiting(shard),
  'inbox:': keys.inbox('id'),
  'user:': keys.user('id'),
  'amended:': keys.overlays('id'),
  'devices:': keys.devices('id'),
  'gaps:': keys.gapsAndIndex('id')[0]!,
  'gaps-by-last:': keys.gapsAndIndex('id')[1]!,
  'gaps-by-first:': keys.gapsAndIndex('id')[2]!,
};

/** The first argument of every Redis command in a script that is a key; nested brackets belong to it. */
function keyArguments(code: string): string[] {
  const found: string[] = [];
  for (const call of code.matchAll(
    /\bp?call\('([A-Z]+)'(?:, '(?:CREATE|DELCONSUMER|CONSUMERS|GROUPS|SETID|STREAM)'|, 'COUNT', 1, 'STREAMS')?, /g,
  )) {
    if (call[1] === 'INFO') continue;
    const start = call.index + call[0].length;
    let end = start;
    for (let depth = 0; depth > 0 || !/[,)]/.test(code[end]!); end++) {
      if (/[([]/.test(code[end]!)) depth++;
      if (/[)\]]/.test(code[end]!)) depth--;
    }
    found.push(code.slice(start, end));
  }
  return found;
}

describe('the fence of a call', () => {
  const run = '0123456789abcdef0123456789abcdef01234567';

  test('is in the slot of the first key and ends with the whole run id, which is what Lua compares', () => {
    expect(fenceOf(keys.conversation(2, 'a{i1}:b'), run)).toBe(`rst:{p2}:fence:${run}`);
    expect(fenceOf(keys.user('id'), run)).toBe(`rst:{i${shard}}:fence:${run}`);
    expect(fenceOf(keys.messages(2), '')).toBe('rst:{p2}:fence:');
    expect(all).toContain(`string.sub(KEYS[#KEYS], -${run.length})`);
  });

  test('does not exist for keys outside the slots of partitions and shards', () => {
    for (const key of [keys.deploymentLock, keys.roster('inbox'), keys.deadLetters.letters, keys.push('g'), 'lease'])
      expect(fenceOf(key, run)).toBeNull();
  });
});

describe('keys that Lua derives', () => {
  test('have the suffixes of keys.ts', () => {
    const spelt = new Set([...all.matchAll(/\b(?:pool\.)?base \.\. '([^']*)'/g)].map((match) => match[1]!));
    expect([...spelt].sort()).toEqual([...Object.keys(ofPartition), ...Object.keys(ofShard)].sort());
    const named = (suffix: string): string => (suffix.endsWith(':') ? `${suffix}id` : suffix);
    for (const [suffix, key] of Object.entries(ofPartition)) expect(keys.partitionBase(2) + named(suffix)).toBe(key);
    for (const [suffix, key] of Object.entries(ofShard)) expect(keys.shardBase('id') + named(suffix)).toBe(key);
    expect(`${keys.pushBase}gateway`).toBe(keys.push('gateway'));
  });

  test('come from a base, or are the keys that were given', () => {
    const used = new Set(scripts.flatMap(({ code }) => keyArguments(code)));
    const isGiven = (key: string): boolean => !/\.\.|'/.test(key);
    const derived = [
      /^(pool\.)?base \.\. '[^']+'( \.\. [\w.]+( - 1)?( \.\. ':' \.\. \w+)?)?$/,
      /^(pool\.current|previous) \.\. (hash|sentHash\(ARGV\[i\]\))$/,
      /^channel \.\. gateway$/,
    ];
    const others = [...used].filter((key) => !isGiven(key) && !derived.some((form) => form.test(key)));
    expect(others).toEqual([]);
    expect(used.size).toBeGreaterThan(30);
  });

  test('never begin with a name or tag that a script spells', () => {
    for (const { name, code } of scripts) {
      expect({ name, tags: code.match(/'[^']*\{[pi]\d*\}|'rst/g) }).toEqual({ name, tags: null });
    }
  });
});
