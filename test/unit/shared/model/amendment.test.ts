import { describe, expect, test } from 'vitest';
import {
  type Amendment,
  amendedText,
  amendmentKind,
  amendmentText,
  isAmended,
  isQuiet,
} from '../../../../shared/model/amendment.ts';
import { messageTail, messageText, parseMessage } from '../../../../shared/model/message-text.ts';

const textOf = (seq: number, kind: string, bodyJson: string, messageClass: 'normal' | 'important' = 'normal'): string =>
  messageText(3, {
    streamId: '1700-0',
    conversation: 'g',
    seq,
    at: 1700,
    tail: messageTail('alice', 'c1', kind, bodyJson, messageClass),
  });

const edit: Amendment = {
  conversation: 'g',
  seq: 5,
  amendSeq: 9,
  version: 1,
  action: 'edit',
  by: 'alice',
  at: 1800,
  body: '"new"',
};
const recall: Amendment = { ...edit, amendSeq: 11, version: 2, action: 'recall', body: null };

describe('the text of an amended message', () => {
  test('edited: the new body, and who did it as the last field', () => {
    const before = textOf(5, 'text', '{"text":"old"}', 'important');
    expect(amendedText(before, edit)).toBe(
      '{"id":"3-1700-0","conversation":"g","seq":5,"at":1700,"sender":"alice","clientId":"c1","kind":"text",' +
        '"body":"new","class":"important",' +
        '"amended":{"action":"edit","by":"alice","at":1800,"version":1,"amendSeq":9}}',
    );
  });

  test('recalled: no body', () => {
    expect(parseMessage(amendedText(textOf(5, 'text', '"old"'), recall))).toMatchObject({
      seq: 5,
      body: null,
      class: 'normal',
      amended: { action: 'recall', by: 'alice', at: 1800, version: 2, amendSeq: 11 },
    });
  });

  test('withheld: no body, and nothing of the amendment', () => {
    const text = textOf(5, 'text', '"old"');
    const expected = `${textOf(5, 'text', 'null').slice(0, -1)},"amended":{"action":"withheld"}}`;
    expect(amendedText(text, 'withheld')).toBe(expected);
    expect(amendedText(amendedText(text, edit), 'withheld')).toBe(expected);
    expect(amendedText(expected, edit)).toBe(expected);
    expect(amendedText(expected, 'withheld')).toBe(expected);
  });

  test('the newer amendment stays, whichever comes first; a repeated one changes nothing', () => {
    const text = textOf(5, 'text', '"old"');
    const newest = amendedText(text, recall);
    expect(amendedText(amendedText(text, edit), recall)).toBe(newest);
    expect(amendedText(newest, edit)).toBe(newest);
    expect(amendedText(newest, recall)).toBe(newest);
  });

  test('says whether it is amended', () => {
    const text = textOf(5, 'text', '{"amended":{"action":"edit","amendSeq":9}}');
    expect(isAmended(text)).toBe(false);
    expect(isAmended(amendedText(text, edit))).toBe(true);
    expect(isAmended(amendedText(text, 'withheld'))).toBe(true);
  });

  test.each(['', '{}', '{"id":"3-1"}', '{"body":1}'])('%s is no message text', (text) => {
    expect(() => amendedText(text, edit)).toThrow('not a message text');
  });
});

describe('the text of an amendment', () => {
  const stored = textOf(9, amendmentKind, '{"seq":5,"action":"edit","version":1}');
  const bodyOf = (text: string): unknown => parseMessage(text).body;

  test('in force: with the new body', () => {
    const text = amendmentText(stored, '{"text":"new"}', false);
    expect(bodyOf(text)).toEqual({ seq: 5, action: 'edit', version: 1, body: { text: 'new' } });
    expect(text.endsWith('"version":1,"body":{"text":"new"}},"class":"normal"}')).toBe(true);
  });

  test('superseded: without the body, also if one is given', () => {
    const superseded = { seq: 5, action: 'edit', version: 1, superseded: true };
    expect(bodyOf(amendmentText(stored, undefined, true))).toEqual(superseded);
    expect(bodyOf(amendmentText(stored, '"new"', true))).toEqual(superseded);
  });

  test('of a recall, and for a reader who does not see the message: as it is stored', () => {
    expect(amendmentText(stored, undefined, false)).toBe(stored);
  });

  test('what was put in before is replaced', () => {
    const given = amendmentText(stored, '{"superseded":true,"version":7}', false);
    expect(amendmentText(given, undefined, false)).toBe(stored);
    expect(amendmentText(given, '1', false)).toBe(amendmentText(stored, '1', false));
  });

  test('another text is refused', () => {
    expect(() => amendmentText(textOf(9, 'text', '{"seq":5}'), '1', false)).toThrow('not the text of an amendment');
  });
});

test.each([
  [amendmentKind, true],
  ['restante.erased', true],
  ['restante.commit', true],
  ['restante.membership', false],
  ['text', false],
])('a message of kind %s does not count as unread: %s', (kind, expected) => {
  expect(isQuiet(kind)).toBe(expected);
});
