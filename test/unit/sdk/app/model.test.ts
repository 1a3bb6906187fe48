import { describe, expect, test } from 'vitest';
import { membershipOf, textOf } from '../../../../sdk/app/model/body.ts';
import { idsIn, isId } from '../../../../sdk/app/model/ids.ts';
import { piecesOf } from '../../../../sdk/app/model/links.ts';
import { chatIn, hashOf, signInFrom } from '../../../../sdk/app/model/route.ts';
import { readersOf, tickOf } from '../../../../sdk/app/model/ticks.ts';
import { hueOf, initialsOf } from '../../../../sdk/app/model/titles.ts';
import { userOf } from '../../../../sdk/app/model/token.ts';

describe('addresses', () => {
  test.each([
    ['#/c/team', 'team'],
    ['#/c/d_a-b_C', 'd_a-b_C'],
    ['#/', null],
    ['', null],
    ['#/c/', null],
    ['#/c/../x', null],
    ['#/c/a/b', null],
    ['#/c/%2e%2e', null],
    [`#/c/${'x'.repeat(65)}`, null],
  ])('%s shows %s', (hash, chat) => {
    expect(chatIn(hash)).toBe(chat);
    if (chat !== null) expect(hashOf(chat)).toBe(hash);
  });

  test('a token in the address signs in, and a peer that is no id is passed over', () => {
    expect(signInFrom('#token=a.b.c&peer=bob')).toEqual({ token: 'a.b.c', peer: 'bob' });
    expect(signInFrom('#token=a.b.c&to=bob')).toEqual({ token: 'a.b.c', peer: 'bob' });
    expect(signInFrom('#token=x&peer=../y')).toEqual({ token: 'x', peer: null });
    expect(signInFrom('#/c/team')).toBeNull();
  });
});

describe('tokens', () => {
  const of = (claims: unknown): string => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.x`;
  test.each([
    [of({ sub: 'alice' }), 'alice'],
    [of({ sub: 'a b' }), null],
    [of({ sub: 7 }), null],
    [of(null), null],
    ['', null],
    ['garbage', null],
    ['a.%%%.c', null],
  ])('%s names %s', (token, user) => expect(userOf(token)).toBe(user));
});

describe('links', () => {
  test.each([
    ['see https://example.com/a?b=1, or not', ['https://example.com/a?b=1']],
    ['(http://example.com)', ['http://example.com']],
    ['看https://example.com/路。好', ['https://example.com/路']],
    ['javascript:alert(1) data:text/html,x file:///etc/passwd', []],
    ['http://[ https://', []],
    ['no link at all', []],
  ])('in %s', (text, links) => {
    const pieces = piecesOf(text);
    expect(pieces.filter(({ href }) => href !== undefined).map((piece) => piece.text)).toEqual(links);
    expect(pieces.map((piece) => piece.text).join('')).toBe(text);
    for (const { href } of pieces) if (href !== undefined) expect(href).toMatch(/^https?:/);
  });
});

describe('bodies', () => {
  test.each([
    ['plain', 'plain'],
    [{ text: 'x' }, 'x'],
    [{ text: 5 }, null],
    [null, null],
    [7, null],
    [['a'], null],
    [{}, null],
  ])('%j says %j', (body, text) => expect(textOf(body)).toBe(text));

  test('a change of members is read strictly', () => {
    expect(membershipOf({ user: 'bob', action: 'left' })).toEqual({ user: 'bob', action: 'left' });
    for (const body of [null, {}, { user: 'bob' }, { user: 'bob', action: 'exploded' }, { user: 5, action: 'left' }])
      expect(membershipOf(body)).toBeNull();
  });
});

test('names in a field are taken one by one, once each, with the commas of any script', () => {
  expect(idsIn(' bob, carol;dave bob，erin、frank ')).toEqual(['bob', 'carol', 'dave', 'erin', 'frank']);
  expect(idsIn('')).toEqual([]);
  expect(isId('../x')).toBe(false);
});

test('a picture has letters of any script, and one colour for one id', () => {
  expect(initialsOf('alice')).toBe('A');
  expect(initialsOf('Alice Doe')).toBe('AD');
  expect(initialsOf('项目 讨论')).toBe('项讨');
  expect(initialsOf('\u200f'.repeat(64))).toBe('#');
  expect(initialsOf('')).toBe('#');
  expect(hueOf('alice')).toBe(hueOf('alice'));
  expect(new Set(Array.from({ length: 100 }, (_, index) => hueOf(`user ${index}`))).size).toBe(8);
});

describe('ticks', () => {
  const message = { status: 'accepted', seq: 5 } as Parameters<typeof tickOf>[0];
  const receipts = (readSeq: number, receivedSeq: number) => new Map([['bob', { readSeq, receivedSeq }]]);
  test.each([
    [new Map(), 'sent'],
    [receipts(0, 4), 'sent'],
    [receipts(0, 5), 'received'],
    [receipts(5, 5), 'read'],
  ])('%o', (of, tick) => expect(tickOf(message, of)).toBe(tick));

  test('what is not accepted is being sent, or has failed', () => {
    for (const status of ['queued', 'sending'] as const)
      expect(tickOf({ status } as typeof message, receipts(9, 9))).toBe('sending');
    expect(tickOf({ status: 'failed' } as typeof message, new Map())).toBe('failed');
    expect(readersOf(receipts(5, 5), 5)).toEqual(['bob']);
  });
});
