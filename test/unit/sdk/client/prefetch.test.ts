import { expect, test, vi } from 'vitest';
import { prefetch } from '../../../../sdk/src/prefetch/prefetch.ts';
import { message } from '../intake/played-intake.ts';
import { connected, history, playServerForClients } from './played-client.ts';

playServerForClients();

test('fetches a conversation before somebody opens it, and reports what became of that', async () => {
  const last = message(40);
  const unread = {
    total: 40,
    conversations: [{ conversation: 'c', name: 'c', unread: 40, readSeq: 0, lastSeq: 40, last }],
    more: false,
  };
  const { client, peer } = await connected({ sync: 'lazy', prefetch: prefetch() }, { unread });
  const seqs = Array.from({ length: 20 }, (_, index) => index + 21);
  expect(await history(peer, seqs, { more: true })).toMatchObject({ conversation: 'c', limit: 20 });
  await vi.waitFor(() => expect(client.report().prefetch).toMatchObject({ asked: 1, opened: 0 }));
  client.conversation('c').open();
  expect(client.report().prefetch).toMatchObject({ opened: 1, hits: 1, wasted: 0 });
  expect(client.report().prefetch!.bytes).toBeGreaterThan(1000);
});
