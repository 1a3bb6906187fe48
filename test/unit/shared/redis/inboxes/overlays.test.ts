import { expect, test } from 'vitest';
import { messageTail, messageText } from '../../../../../shared/model/message-text.ts';
import { readOverlay, readOverlays, served } from '../../../../../shared/redis/inboxes/overlays.ts';

/** How entries of an inbox are served, with what lies over them. */

const text = (seq: number, kind: string, body: unknown, conversation = 'g') =>
  messageText(0, {
    streamId: `${seq}-0`,
    conversation,
    seq,
    at: 1,
    tail: messageTail('alice', `c${seq}`, kind, JSON.stringify(body), 'normal'),
  });
const bodyOf = (entries: Parameters<typeof served>[0], flat: string[]) =>
  served(entries, readOverlays(flat)).map(({ text: now }) => (JSON.parse(now) as { body: unknown }).body);

test('an overlay is read whole, whatever its body holds', () => {
  expect(readOverlay('g:5', '9 2 e alice 17 3 {"text":"a b 1 2 r"}')).toEqual({
    conversation: 'g',
    seq: 5,
    amendSeq: 9,
    version: 2,
    action: 'edit',
    by: 'alice',
    at: 17,
    position: 3,
    body: '{"text":"a b 1 2 r"}',
  });
  expect(readOverlay('g:5', '9 2 r alice 17 3 null')).toMatchObject({ action: 'recall', body: null });
  expect(readOverlay('g:5', '9 0 w * 17 0 null')).toMatchObject({ action: 'withheld', position: 0 });
  expect(() => readOverlay('g:5', '9 2 x alice 17 3 null')).toThrow('not an overlay: g:5');
});

test('only the message that was amended reads otherwise, and only the amendment at its position has the body', () => {
  const amendment = { seq: 5, action: 'edit', version: 1 };
  const entries = [
    { position: 1, name: '1', text: text(5, 'text', 'old') },
    { position: 2, name: '1', text: text(55, 'text', 'other') },
    { position: 3, name: '2', text: text(56, 'restante.amend', amendment) },
    { position: 4, name: '2', text: text(57, 'restante.amend', { ...amendment, version: 2 }) },
  ];
  expect(bodyOf(entries, ['g:5', '57 2 e alice 17 4 "new"', 'gg:55', '60 1 r alice 17 9 null'])).toEqual([
    'new',
    'other',
    { ...amendment, superseded: true },
    { ...amendment, version: 2, body: 'new' },
  ]);
});

test("conversations of one page do not get each other's overlays, however long their names and numbers are", () => {
  const [one, other] = ['d_'.padEnd(60, 'a'), 'd_'.padEnd(60, 'b')];
  const seq = 1_234_567_890;
  const amendment = { seq, action: 'edit', version: 1 };
  const entries = [
    { position: 1, name: '1', text: text(seq, 'text', 'of one', one) },
    { position: 2, name: '1', text: text(seq, 'text', 'of the other', other) },
    { position: 3, name: '1', text: text(seq, 'text', 'of neither') },
    { position: 4, name: '2', text: text(seq + 1, 'restante.amend', amendment, one) },
    { position: 5, name: '2', text: text(seq + 1, 'restante.amend', amendment, other) },
  ];
  const overlays = [
    `${one}:${seq}`,
    `${seq + 1} 1 e alice 17 4 "1"`,
    `${other}:${seq}`,
    `${seq + 1} 1 e alice 17 5 "2"`,
  ];
  expect(bodyOf(entries, overlays)).toEqual([
    '1',
    '2',
    'of neither',
    { ...amendment, body: '1' },
    { ...amendment, body: '2' },
  ]);
});

test('what nobody amended is passed on unchanged, with the device that sent it', () => {
  const sent = { position: 1, name: '1 phone', text: text(5, 'text', 'old') };
  expect(served([sent], readOverlays([]))).toEqual([{ position: 1, device: 'phone', text: sent.text }]);
});

test('who does not see the message gets the amendment bare, also of its own', () => {
  const bare = text(56, 'restante.amend', { seq: 5, action: 'edit', version: 1 });
  expect(served([{ position: 3, name: '2- phone', text: bare }], readOverlays([]))).toEqual([
    { position: 3, device: 'phone', text: bare },
  ]);
});
