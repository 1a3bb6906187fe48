import { describe, expect, test } from 'vitest';
import {
  coldFolders,
  coldName,
  coldRevision,
  textsOf,
  toObject,
} from '../../../../../shared/history/cold/cold-block.ts';
import type { Block } from '../../../../../shared/history/store.ts';

const blockOf = (conversation: string, firstSeq: number, texts: string[]): Block => ({
  conversation,
  firstSeq,
  lastSeq: firstSeq + texts.length - 1,
  firstAt: 1,
  lastAt: 2,
  format: 1,
  rev: 0,
  texts,
});
const place = (conversation: string, firstSeq = 1, lastSeq = 9, rev = 0) => ({ conversation, firstSeq, lastSeq, rev });

describe('the name of an object', () => {
  test.each(['team', 'Team', 'TEAM', 'd_aB-9_', '-', 'Z'.repeat(64)])(
    'says which block it is of: %s',
    (conversation) => {
      const name = coldName(place(conversation, 17, Number.MAX_SAFE_INTEGER));
      expect(coldRevision(name)).toEqual(place(conversation, 17, Number.MAX_SAFE_INTEGER));
      expect(coldFolders).toContain(name.split('/')[0]);
      expect(name.length).toBeLessThan(200);
    },
  );

  test('says which revision of it; the first one is named as if there were none', () => {
    expect(coldName(place('team', 1, 9, 0))).toMatch(/\/team\.1-9$/);
    const name = coldName(place('team', 1, 9, 12));
    expect(name).toMatch(/\/team\.1-9\.12$/);
    expect(coldRevision(name)).toEqual(place('team', 1, 9, 12));
  });

  test('differs for capitals, even on a file system that ignores case', () => {
    const names = ['team', 'Team', 'tEam', 'TEAM'].map((conversation) =>
      coldName(place(conversation)).split('/')[1]!.toLowerCase(),
    );
    expect(new Set(names).size).toBe(4);
  });

  test.each(['../x', 'a/b', '', 'a.b', 'a~b'])('is not made of %j', (conversation) => {
    expect(() => coldName(place(conversation))).toThrow('cannot be part of a name');
  });

  test.each([
    '',
    'ab/',
    'ab/team',
    'ab/team.1',
    'ab/te~m~.1-2',
    'ab/Team.1-9',
    `00/${coldName(place('team')).slice(3)}x`,
    'ab/~9.1-2',
    'lost+found',
    'ab/team.01-9',
    `${coldName(place('team'))}.0`,
    `${coldName(place('team'))}.01`,
    `${coldName(place('team'))}.1.1`,
  ])('%j is none', (name) => {
    expect(coldRevision(name)).toBeNull();
  });
});

describe('an object', () => {
  const texts = ['{"body":"\u2028\ud83d\ude00"}', '""', `"${'x'.repeat(100_000)}"`];
  const block = blockOf('c', 5, texts);

  test('of a later revision is of no other', () => {
    const object = toObject({ ...block, rev: 2 });
    expect(textsOf(object, { ...block, format: 4, rev: 2, texts: [] })).toEqual(texts);
    expect(() => textsOf(object, { ...block, format: 4, texts: [] })).toThrow('is of another block');
  });

  test.each([1, 2])('gives the texts of a block of format %i back, byte for byte', (format) => {
    const object = toObject({ ...block, format });
    expect(textsOf(object, { ...block, format: 4, texts: [] })).toEqual(texts);
    expect(object.length).toBeLessThan(1000);
  });

  test('is refused if it is of another block, cut, changed or of an unknown format', () => {
    const object = Buffer.from(toObject(block));
    const cold = { ...block, format: 4, texts: [] };
    expect(() => textsOf(object, { ...cold, conversation: 'd' })).toThrow('is of another block');
    expect(() => textsOf(object, { ...cold, firstSeq: 4, lastSeq: 6 })).toThrow('is of another block');
    expect(() => textsOf(object, { ...cold, rev: 1 })).toThrow('is of another block');
    expect(() =>
      textsOf(Buffer.from(object.toString('latin1').replace('"format":1', '"format":7'), 'latin1'), cold),
    ).toThrow('unknown format 7');
    for (const length of [0, 1, 20]) expect(() => textsOf(object.subarray(0, length), cold)).toThrow('cannot be read');
    expect(() => textsOf(object.subarray(0, -3), cold)).toThrow('cannot be unpacked');
    const changed = Buffer.from(object);
    changed[object.length - 10]! ^= 1;
    expect(() => textsOf(changed, cold)).toThrow();
  });
});
