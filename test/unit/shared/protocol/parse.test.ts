import { describe, expect, test } from 'vitest';
import { parseFrame } from '../../../../shared/protocol/parse.ts';

function refusalOf(text: string) {
  const parsed = parseFrame(text);
  if (!('refusal' in parsed)) throw new Error(`a frame: ${text}`);
  return { code: parsed.refusal.code, re: parsed.re, clientId: parsed.clientId, abuse: parsed.abuse };
}

describe('valid frames', () => {
  test.each([
    { type: 'ping' },
    { type: 'ping', id: 'a' },
    { type: 'received', position: 0 },
    { type: 'sync', after: 5, limit: 200, epoch: 'e' },
    { type: 'history', to: 'bob' },
    { type: 'history', conversation: 'g', after: 0, limit: 100 },
    { type: 'read', to: 'bob', seq: 1 },
    { type: 'reauth', token: 't' },
    { type: 'hello', token: 't', device: 'phone', position: 3, epoch: 'e', mode: 'lazy' },
    { type: 'send', clientId: 'c', to: 'bob', kind: 'text', body: null, class: 'important' },
    { type: 'send', clientId: 'c', to: 'bob', kind: 'text', body: null, after: 'b' },
    { type: 'hello', token: 't', device: 'phone', pageItems: 1, ephemeral: true, client: ' ~'.repeat(32) },
    { type: 'received', position: 0, pageItems: 200 },
  ])('accepts %j', (frame) => {
    expect(parseFrame(JSON.stringify(frame))).toEqual({ frame, abuse: false });
  });

  test('passes a body on unchanged, and drops unknown fields', () => {
    const parsed = parseFrame(
      '{"type":"send","clientId":"c","to":"bob","kind":"text","sender":"mallory",' +
        '"body":{"__proto__":{"a":1},"b":[1,null]}}',
    );
    if (!('frame' in parsed) || parsed.frame.type !== 'send') throw new Error('no send');
    expect(JSON.stringify(parsed.frame.body)).toBe('{"__proto__":{"a":1},"b":[1,null]}');
    expect(parsed.frame).not.toHaveProperty('sender');
  });
});

describe('text that is not a JSON object', () => {
  test.each([
    '',
    'x',
    '{',
    '{"type":"ping"',
    '\ufeff{"type":"ping"}',
    'null',
    '[]',
    '"ping"',
    '1',
    'true',
    '['.repeat(50_000),
  ])('counts as abuse: %.20s', (text) => {
    expect(refusalOf(text)).toEqual({ code: 'bad_frame', re: undefined, clientId: undefined, abuse: true });
  });
});

describe('invalid frames', () => {
  test.each([
    ['{"type":"nonsense","id":"r"}', { code: 'bad_frame', re: 'r' }],
    ['{"type":"__proto__","id":"r"}', { code: 'bad_frame', re: 'r' }],
    ['{"type":"constructor"}', { code: 'bad_frame' }],
    ['{"id":"r"}', { code: 'bad_frame', re: 'r' }],
    ['{"type":"ping","id":"not an id"}', { code: 'bad_request' }],
    ['{"type":"send","id":"r","clientId":"c"}', { code: 'bad_request', re: 'r', clientId: 'c' }],
    ['{"type":"send","id":"r","clientId":"no id"}', { code: 'bad_request', re: 'r' }],
    ['{"type":"send","clientId":"c","to":"bob","kind":"text"}', { code: 'bad_request', clientId: 'c' }],
    [
      '{"type":"send","clientId":"c","to":"bob","conversation":"g","kind":"text","body":1}',
      { code: 'bad_request', clientId: 'c' },
    ],
    [
      '{"type":"send","clientId":"c","to":"bob","kind":"restante.membership","body":1}',
      { code: 'bad_request', clientId: 'c' },
    ],
    ['{"type":"read","clientId":"c","seq":1}', { code: 'bad_request' }],
    ['{"type":"sync","id":"r","after":9007199254740993}', { code: 'bad_request', re: 'r' }],
    ['{"type":"received","position":1,"pageItems":0}', { code: 'bad_request' }],
    ['{"type":"hello","token":"t","device":"phone","ephemeral":false}', { code: 'bad_request' }],
  ])('answers %s with the ids that it named', (text, expected) => {
    expect(refusalOf(text)).toEqual({ re: undefined, clientId: undefined, abuse: false, ...expected });
  });
});
