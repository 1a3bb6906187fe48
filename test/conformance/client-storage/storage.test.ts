import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { memory } from '../../../sdk/src/storage/memory.ts';
import { sqlite } from '../../../sdk/src/storage/sqlite.ts';
import type { Storage } from '../../../sdk/src/storage/storage.ts';
import { storageCases } from './storage.cases.ts';

describe('memory', () => {
  test.each(storageCases.filter(({ persistent }) => persistent === undefined))('$name', ({ run }) => run(memory));
});

describe('SQLite', () => {
  let dir: string;
  let opened: Storage[];
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'restante-storage-'));
    opened = [];
  });
  afterEach(async () => {
    for (const storage of opened) await storage.close();
    await rm(dir, { recursive: true, force: true });
  });
  const file = (): string => join(dir, 'client.db');
  const open = (): Storage => {
    const storage = sqlite({ file: file() });
    opened.push(storage);
    return storage;
  };

  test.each(storageCases)('$name', ({ run }) => run(open));

  const source = fileURLToPath(new URL('../../../sdk/src/storage/sqlite.ts', import.meta.url));
  const inAnotherProcess = async (script: string): Promise<string> => {
    const path = join(dir, 'other.mjs');
    await writeFile(
      path,
      `import { sqlite } from '${source}';\nconst storage = sqlite({ file: '${file()}' });\n${script}`,
    );
    const { stdout } = await promisify(execFile)(process.execPath, ['--no-warnings', path]);
    return stdout.trim();
  };

  test('belongs to one process', async () => {
    await open().open();
    expect(await inAnotherProcess(`await storage.open().catch(({ name }) => console.log(name));`)).toBe('StorageBusy');
  });

  test('is free again when its process was killed, with everything that was written', async () => {
    const written = `{ meta: { user: 'alice', device: 'd', position: 3, epoch: 'e' } }`;
    await inAnotherProcess(
      `await storage.open(); await storage.write(${written}); process.kill(process.pid, 'SIGKILL');`,
    ).catch(() => {});
    expect(await open().open()).toEqual({ user: 'alice', device: 'd', position: 3, epoch: 'e', term: 0 });
  });
});
