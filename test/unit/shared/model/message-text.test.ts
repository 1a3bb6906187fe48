import { describe, expect, test } from 'vitest';
import {
  acceptedAt,
  messageId,
  messageTail,
  messageText,
  parseMessage,
  readHead,
} from '../../../../shared/model/message-text.ts';

describe('a message as text', () => {
  const bodies: unknown[] = [
    null,
    'text',
    { a: [1, { b: null }] },
    '","class":"important"}',
    '{"id":"x","seq":9',
    '\u2028\ud800\u0000',
  ];

  test.each(bodies)('%j comes back, with fields in one fixed order', (body) => {
    const json = JSON.stringify(body);
    const text = messageText(3, {
      streamId: '1700000000123-7',
      conversation: 'g',
      seq: 42,
      at: 1_700_000_000_123,
      tail: messageTail('alice', 'c-1', 'text', json, 'important'),
    });
    const message = {
      id: '3-1700000000123-7',
      conversation: 'g',
      seq: 42,
      at: 1_700_000_000_123,
      sender: 'alice',
      clientId: 'c-1',
      kind: 'text',
      body,
      class: 'important',
    };
    expect(text).toBe(JSON.stringify(message));
    expect(parseMessage(text)).toEqual(message);
    expect(readHead(text)).toEqual({ id: message.id, conversation: 'g', seq: 42, at: message.at });
    // The scripts read the class from the end.
    expect(text.slice(-20)).toBe('"class":"important"}');
  });

  test("id and time come from the entry's id", () => {
    expect(messageId(3, '1700000000123-7')).toBe('3-1700000000123-7');
    expect(acceptedAt('1700000000123-7')).toBe(1_700_000_000_123);
  });

  test.each(['', '{}', '{"seq":1}', 'null', ' {"id":"a","conversation":"b","seq":1,"at":2,'])(
    '%j is no message',
    (text) => {
      expect(() => readHead(text)).toThrow('not a message text');
    },
  );
});
