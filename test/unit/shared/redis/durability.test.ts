import { describe, expect, test } from 'vitest';
import { type Claim, type DurabilityFacts, meansOf } from '../../../../shared/redis/durability.ts';

const claim = (by: Claim['by'], replicas = 0, isDefault = false): Claim => ({ by, replicas, isDefault });
const facts = (more: Partial<DurabilityFacts> = {}): DurabilityFacts => ({
  appendonly: true,
  appendfsync: 'everysec',
  pausesInRewrite: false,
  waitaof: 'absent',
  ...more,
});
const always = facts({ appendfsync: 'always' });

describe('auto', () => {
  test.each([
    ['every write is synced', 0, always, 'at-once'],
    ['every write is synced, and a replica must have it too', 1, always, 'wait'],
    ['a rewrite stops the syncs', 0, facts({ appendfsync: 'always', pausesInRewrite: true }), null],
    ['there is no file', 0, facts({ appendonly: false, appendfsync: 'always' }), null],
    ['WAITAOF waits for the disk', 0, facts({ waitaof: 'sound' }), 'waitaof'],
    ['WAITAOF does not', 0, facts({ waitaof: 'early' }), null],
    ['WAITAOF cannot be asked about', 0, facts({ waitaof: null }), null],
    ['nothing is ever synced', 0, facts({ waitaof: 'sound', appendfsync: 'no' }), null],
    ['there is no file to wait for', 0, facts({ waitaof: 'sound', appendonly: false }), null],
    ['there are replicas alone', 2, facts(), 'wait'],
    ['CONFIG is refused', 0, facts({ appendfsync: null, pausesInRewrite: null }), null],
    ['CONFIG is refused, and WAITAOF waits for the disk', 0, facts({ appendfsync: null, waitaof: 'sound' }), 'waitaof'],
  ] as const)('%s', (_, replicas, found, means) => {
    expect(meansOf(claim('auto', replicas), found)).toEqual({ means });
  });

  test('is a fault if durable is the default and cannot be given', () => {
    expect(meansOf(claim('auto', 0, true), facts()).fault).toMatch(/^ACK_LEVEL: durable, but Redis/);
    expect(meansOf(claim('auto', 0, true), always)).toEqual({ means: 'at-once' });
  });
});

describe('a claim', () => {
  test.each([
    ['always', always, 'at-once'],
    ['always', facts({ appendfsync: null, pausesInRewrite: null }), 'at-once'],
    ['waitaof', facts({ waitaof: 'sound' }), 'waitaof'],
    ['waitaof', facts({ waitaof: null }), 'waitaof'],
    ['replicas', facts({ appendonly: false }), 'wait'],
    ['none', always, null],
  ] as const)('%s that fits %o', (by, found, means) => {
    expect(meansOf(claim(by), found)).toEqual({ means });
  });

  test.each([
    ['always', facts(), 'Redis has appendfsync everysec'],
    ['always', facts({ appendonly: false, appendfsync: 'always' }), 'Redis has appendonly no'],
    ['always', facts({ appendfsync: 'always', pausesInRewrite: true }), 'Redis has no-appendfsync-on-rewrite yes'],
    ['waitaof', facts(), 'this Redis does not know WAITAOF'],
    ['waitaof', facts({ waitaof: 'early' }), 'this Redis answers WAITAOF before it has synced'],
    ['waitaof', facts({ waitaof: 'sound', appendonly: false }), 'Redis has appendonly no'],
    ['waitaof', facts({ waitaof: 'sound', appendfsync: 'no' }), 'Redis has appendfsync no'],
  ] as const)('%s that is wrong: %o', (by, found, sentence) => {
    expect(meansOf(claim(by), found)).toEqual({ means: null, fault: `DURABLE_BY: ${by}, but ${sentence}` });
  });
});
