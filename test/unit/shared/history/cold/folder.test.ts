import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openFolder } from '../../../../../shared/history/cold/folder.ts';
import { openObjects } from '../../../../../shared/history/cold/open-objects.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'restante-folder-'));
});
afterEach(() => rm(dir, { recursive: true }));

const bytes = (text: string): Uint8Array => Buffer.from(text);

test('puts, replaces, lists and removes an object, and makes folders when needed', async () => {
  const objects = openObjects(`file:${join(dir, 'not', 'there')}`);
  expect(await objects.list('ab')).toEqual([]);
  await objects.put('ab/c.1-2', bytes('one'));
  await objects.put('ab/~c.1-2', bytes('other'));
  await objects.put('cd/c.1-2', bytes('third'));
  expect((await objects.list('ab')).toSorted()).toEqual(['ab/c.1-2', 'ab/~c.1-2']);
  await objects.put('ab/c.1-2', bytes('two'));
  expect(Buffer.from(await objects.get('ab/c.1-2')).toString()).toBe('two');
  await objects.remove('ab/c.1-2');
  await objects.remove('ab/c.1-2');
  await expect(objects.get('ab/c.1-2')).rejects.toThrow('ENOENT');
  expect(await objects.list('ab')).toEqual(['ab/~c.1-2']);
  expect(await readdir(join(dir, 'not', 'there', 'ab'))).toEqual(['~c.1-2']);
});

test('keeps one whole object of many concurrent puts', async () => {
  const objects = openFolder(dir);
  const all = Array.from({ length: 20 }, (_, i) => String(i).repeat(100_000));
  await Promise.all(all.map((text) => objects.put('ab/x', bytes(text))));
  expect(all).toContain(Buffer.from(await objects.get('ab/x')).toString());
  expect(await readdir(join(dir, 'ab'))).toEqual(['x']);
});

test('puts a new object only where there is none, and one of many at once', async () => {
  const objects = openFolder(dir);
  const all = Array.from({ length: 20 }, (_, i) => String(i).repeat(100_000));
  const answers = await Promise.all(all.map((text) => objects.putNew('ab/x', bytes(text))));
  expect(answers.filter(Boolean)).toHaveLength(1);
  expect(Buffer.from(await objects.get('ab/x')).toString()).toBe(all[answers.indexOf(true)]);
  expect(await objects.putNew('ab/x', bytes('later'))).toBe(false);
  expect(await readdir(join(dir, 'ab'))).toEqual(['x']);
  await expect(objects.putNew('ab/../x', bytes('x'))).rejects.toThrow('not the name of an object');
});

test('ignores leftovers of killed puts, and removes them after a day', async () => {
  const objects = openFolder(dir);
  await objects.put('ab/x', bytes('x'));
  const [old, young] = [join(dir, 'ab', 'x.1.part'), join(dir, 'ab', 'x.2.part')];
  for (const part of [old, young]) await writeFile(part, 'half');
  const twoDaysAgo = Date.now() / 1000 - 2 * 86_400;
  await utimes(old, twoDaysAgo, twoDaysAgo);
  expect(await objects.list('ab')).toEqual(['ab/x']);
  expect((await readdir(join(dir, 'ab'))).toSorted()).toEqual(['x', 'x.2.part']);
});

test.each(['x', '../x', 'ab/../x', 'ab/..', 'ab/.x', '/ab/x', 'ab/x/y', 'ab/', 'ab/x\0'])(
  '%j is not the name of an object',
  async (name) => {
    const objects = openFolder(dir);
    await expect(objects.put(name, bytes('x'))).rejects.toThrow('not the name of an object');
    await expect(objects.get(name)).rejects.toThrow('not the name of an object');
    await expect(objects.remove(name)).rejects.toThrow('not the name of an object');
  },
);

test.each(['', 'file:', '/srv/cold', 's3://bucket'])('COLD_URL %j is refused', (url) => {
  expect(() => openObjects(url)).toThrow('COLD_URL must be file: and a folder');
});
