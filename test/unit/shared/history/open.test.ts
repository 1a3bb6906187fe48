import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openHistory } from '../../../../shared/history/open.ts';

test.each([true, false])('sqlite:PATH opens that file (in a thread: %s)', async (inThread) => {
  const folder = await mkdtemp(join(tmpdir(), 'restante-open-'));
  const store = await openHistory(`sqlite:${join(folder, 'history.db')}`, { inThread });
  expect(await store.progress()).toEqual([]);
  await store.close();
  await rm(folder, { recursive: true });
});

test.each(['mongodb://127.0.0.1:1/x', 'mongodb://user:word@a:1,b:2/x?replicaSet=r', 'mongodb+srv://example.invalid'])(
  '%s opens without connecting',
  async (url) => {
    await (await openHistory(url, { inThread: false })).close();
  },
);

test.each([
  '',
  'sqlite:',
  'postgres://user:secret@host/db',
  '/var/lib/history.db',
  'secret-without-scheme-that-is-long',
])('%j is refused with a sentence that shows no password', async (url) => {
  const refused = await openHistory(url, { inThread: false }).catch((thrown: Error) => thrown);
  expect(refused).toBeInstanceOf(Error);
  expect((refused as Error).message).toContain('it must be sqlite:PATH, mongodb://… or mongodb+srv://…');
  expect((refused as Error).message).not.toContain('secret@');
});
