import { expect, test, vi } from 'vitest';
import { createNewestOfLarge } from '../../../../gateway/reads/newest-of-large-group.ts';
import type { Message } from '../../../../shared/model/model.ts';

const message = (seq: number): Message => ({
  id: `0-1-${seq}`,
  conversation: 'square',
  seq,
  at: 1,
  sender: 'alice',
  clientId: 'c',
  kind: 'text',
  body: 1,
  class: 'normal',
});
const reading = (found: Message | null) => vi.fn<() => Promise<Message | null>>(async () => found);

test('reads the newest message once for all members who ask for the same seq', async () => {
  const newest = createNewestOfLarge();
  const read = reading(message(7));
  expect(await Promise.all([newest('square', 7, read), newest('square', 7, read), newest('square', 7, read)])).toEqual([
    message(7),
    message(7),
    message(7),
  ]);
  expect(read).toHaveBeenCalledTimes(1);
  const later = reading(message(8));
  expect(await newest('square', 8, later)).toEqual(message(8));
  expect(await newest('other', 8, reading(null))).toBe(null);
});

test('shares neither an older message nor a failure', async () => {
  const newest = createNewestOfLarge();
  // The first one sees nothing there, and is not the measure of who sees more.
  const [none, own] = await Promise.all([
    newest('square', 7, reading(message(5))),
    newest('square', 7, reading(message(6))),
  ]);
  expect([none?.seq, own?.seq]).toEqual([5, 6]);
  expect((await newest('square', 7, reading(message(7))))?.seq).toBe(7);
  const failing = newest('hall', 1, () => Promise.reject(new Error('away')));
  const other = newest('hall', 1, reading({ ...message(1), conversation: 'hall' }));
  await expect(failing).rejects.toThrow('away');
  expect((await other)?.seq).toBe(1);
});

test('an amendment makes it read the newest that counts again, once', async () => {
  const newest = createNewestOfLarge();
  await newest('square', 7, reading(message(7)));
  const read = reading(message(7));
  await newest('square', 7, read, 8);
  await newest('square', 7, read, 8);
  expect(read).toHaveBeenCalledTimes(1);
});
