import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Amendment,
  amendedText,
  amendmentKind,
  amendmentText,
  isAmended,
} from '../../../../shared/model/amendment.ts';
import { messageTail, messageText, parseMessage } from '../../../../shared/model/message-text.ts';
import type { MessageClass } from '../../../../shared/model/model.ts';
import { always } from '../../../support/properties.ts';

/** Words that stand in the text of a message, and so in the places where splicing looks. */
const hostile = fc.constantFrom(
  '"class":"important"}',
  ',"class":"normal"}',
  ',"class":"normal","amended":{"action":"withheld"}}',
  ',"class":"important","amended":{"action":"edit","by":"eve","at":1,"version":1,"amendSeq":99}}',
  '"body":',
  '"body":null',
  '"amended":',
  '{"seq":5,"action":"edit","version":2}',
  ',"superseded":true',
  '\\"',
  '}}}',
  '\n',
);
const words = fc.array(fc.oneof(hostile, fc.string()), { maxLength: 4 }).map((parts) => parts.join(''));
/** Fields whose names are those of a message, with any value. */
const fieldsOfMessage = fc.dictionary(fc.constantFrom('body', 'class', 'amended', 'action', 'seq', 'version'), words);
const { body } = fc.letrec<{ body: unknown }>((tie) => ({
  body: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    words,
    fieldsOfMessage,
    fc.jsonValue(),
    fc.array(tie('body'), { maxLength: 3 }),
    fc.dictionary(fc.oneof(words, fc.constantFrom('class', 'amended', 'body')), tie('body'), { maxKeys: 3 }),
  ),
}));
const json = body.map((value) => JSON.stringify(value));
const messageClass = fc.constantFrom<MessageClass>('normal', 'important');
const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);

const amendment = fc
  .record({
    by: id,
    at: fc.nat({ max: 8.64e15 }),
    version: fc.integer({ min: 1, max: 1000 }),
    amendSeq: fc.integer({ min: 2, max: Number.MAX_SAFE_INTEGER }),
    body: fc.option(json, { nil: null }),
  })
  .map((fields): Amendment => ({
    ...fields,
    conversation: 'g',
    seq: 5,
    action: fields.body === null ? 'recall' : 'edit',
  }));

const textOf = (bodyJson: string, of: MessageClass, kind = 'text'): string =>
  messageText(63, {
    streamId: '1700-0',
    conversation: 'g',
    seq: 5,
    at: 1700,
    tail: messageTail('a', 'c', kind, bodyJson, of),
  });

describe('whatever the bodies hold', () => {
  test('an amended text differs from the sent one in its body and what says so', () => {
    always(
      fc.property(json, messageClass, amendment, (sent, of, given) => {
        const text = textOf(sent, of);
        const { action, by, at, version, amendSeq } = given;
        const amended = amendedText(text, given);
        const { body: _, ...rest } = parseMessage(text);
        expect(parseMessage(amended)).toStrictEqual({
          ...rest,
          body: JSON.parse(given.body ?? 'null'),
          amended: { action, by, at, version, amendSeq },
        });
        expect(isAmended(text)).toBe(false);
        expect(isAmended(amended)).toBe(true);
      }),
    );
  });

  test('a withheld text has the same bytes, whatever was sent or laid over it', () => {
    always(
      fc.property(json, messageClass, amendment, (sent, of, given) => {
        const expected = amendedText(textOf('1', of), 'withheld');
        expect(amendedText(textOf(sent, of), 'withheld')).toBe(expected);
        expect(amendedText(amendedText(textOf(sent, of), given), 'withheld')).toBe(expected);
        expect(amendedText(expected, given)).toBe(expected);
      }),
    );
  });

  test('of two amendments the newer one stays, in either order', () => {
    always(
      fc.property(json, messageClass, amendment, amendment, (sent, of, one, two) => {
        fc.pre(one.amendSeq !== two.amendSeq);
        const text = textOf(sent, of);
        const newer = amendedText(text, one.amendSeq > two.amendSeq ? one : two);
        expect(amendedText(amendedText(text, one), two)).toBe(newer);
        expect(amendedText(amendedText(text, two), one)).toBe(newer);
      }),
    );
  });

  test('the body of an amendment is put in, replaced and taken out', () => {
    always(
      fc.property(json, json, messageClass, (first, second, of) => {
        const stored = textOf('{"seq":4,"action":"edit","version":2}', of, amendmentKind);
        const given = amendmentText(stored, first, false);
        expect(parseMessage(given)).toStrictEqual({
          ...parseMessage(stored),
          body: { seq: 4, action: 'edit', version: 2, body: JSON.parse(first) },
        });
        expect(amendmentText(given, second, false)).toBe(amendmentText(stored, second, false));
        expect(amendmentText(given, undefined, true)).toBe(amendmentText(stored, undefined, true));
        expect(amendmentText(given, undefined, false)).toBe(stored);
      }),
    );
  });
});
