import { describe, expect, test } from 'vitest';
import { asSeenBy, laidOver, newestOfEach } from '../../../../gateway/reads/laid-over.ts';
import type { Amendment } from '../../../../shared/model/amendment.ts';
import { decodeSpans } from '../../../../shared/model/spans.ts';

const text = (seq: number, body: string, kind = 'text'): string =>
  `{"id":"0-1-${seq}","conversation":"g","seq":${seq},"at":1,"sender":"alice","clientId":"c${seq}",` +
  `"kind":"${kind}","body":${body},"class":"normal"}`;
const amendText = (seq: number, target: number, version: number, action = 'edit'): string =>
  text(seq, `{"seq":${target},"action":"${action}","version":${version}}`, 'restante.amend');
const amendment = (seq: number, amendSeq: number, version: number, body: string | null): Amendment => ({
  conversation: 'g',
  seq,
  amendSeq,
  version,
  action: body === null ? 'recall' : 'edit',
  by: 'alice',
  at: 2,
  body,
});
const bodyOf = (one: string): unknown => (JSON.parse(one) as { body: unknown }).body;
const amendedOf = (one: string): unknown => (JSON.parse(one) as { amended?: unknown }).amended;

test('of the amendments of a message the one with the highest seq is taken, wherever it comes from', () => {
  const [old, newer, other] = [amendment(5, 9, 7, '1'), amendment(5, 12, 1, '2'), amendment(6, 10, 1, '3')];
  for (const lists of [[[old], [newer, other]], [[other, newer], [old]], [[old, newer, other]]])
    expect([...newestOfEach(...lists).values()].sort((a, b) => a.seq - b.seq)).toEqual([newer, other]);
});

describe('a text as who sees everything reads it', () => {
  const overlays = newestOfEach([amendment(5, 12, 2, '"new"'), amendment(6, 13, 1, null)]);

  test('a message has its newest body, and any other is as it was sent', () => {
    expect(bodyOf(laidOver(text(5, '"old"'), 5, overlays))).toBe('new');
    expect(bodyOf(laidOver(text(6, '"old"'), 6, overlays))).toBeNull();
    expect(laidOver(text(7, '"old"'), 7, overlays)).toBe(text(7, '"old"'));
    // One that was put into its block by then is the same.
    const stored = laidOver(text(5, '"old"'), 5, newestOfEach([amendment(5, 9, 1, '"between"')]));
    expect(laidOver(stored, 5, overlays)).toBe(laidOver(text(5, '"old"'), 5, overlays));
  });

  test('of the amendments of a message the one in force has its body, and the others are superseded', () => {
    const reads = [amendText(9, 5, 1), amendText(12, 5, 2), amendText(13, 6, 1, 'recall'), amendText(14, 7, 1)];
    expect(reads.map((one, i) => bodyOf(laidOver(one, [9, 12, 13, 14][i]!, overlays)))).toEqual([
      { seq: 5, action: 'edit', version: 1, superseded: true },
      { seq: 5, action: 'edit', version: 2, body: 'new' },
      { seq: 6, action: 'recall', version: 1 },
      { seq: 7, action: 'edit', version: 1, superseded: true },
    ]);
  });

  test('a message whose body looks like an amendment is a message', () => {
    const body = '{"kind":"restante.amend","body":{"seq":5,"action":"edit","version":1}}';
    expect(laidOver(text(7, body), 7, overlays)).toBe(text(7, body));
    expect(asSeenBy(text(7, body), decodeSpans('6-'))).toBe(text(7, body));
  });
});

describe('a text as a member reads it', () => {
  const overlays = newestOfEach([amendment(5, 12, 2, '"new"')]);
  const message = laidOver(text(5, '"old"'), 5, overlays);
  const amends = laidOver(amendText(12, 5, 2), 12, overlays);

  test.each([
    ['0-', 'new', { seq: 5, action: 'edit', version: 2, body: 'new' }],
    ['0-5,11-', 'new', { seq: 5, action: 'edit', version: 2, body: 'new' }],
    ['5-', 'new', { seq: 5, action: 'edit', version: 2 }],
    ['0-11', null, { seq: 5, action: 'edit', version: 2, body: 'new' }],
    ['0-5,12-', null, { seq: 5, action: 'edit', version: 2, body: 'new' }],
  ])('%s', (spans, body, amendmentBody) => {
    const seen = asSeenBy(message, decodeSpans(spans));
    expect(bodyOf(seen)).toBe(body);
    if (body === null) expect(amendedOf(seen)).toEqual({ action: 'withheld' });
    expect(bodyOf(asSeenBy(amends, decodeSpans(spans)))).toEqual(amendmentBody);
  });

  test('what is not amended is the same text', () => {
    expect(asSeenBy(text(7, '{"a":{}}'), decodeSpans('6-'))).toBe(text(7, '{"a":{}}'));
  });
});
