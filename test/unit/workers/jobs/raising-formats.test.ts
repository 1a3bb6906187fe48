import { expect, test } from 'vitest';
import { isReadByAll } from '../../../../workers/jobs/raising-formats.ts';

const row = (id: string, formats: number) => ({ id, formats });

test.each([
  ['nobody reports', [], [], false],
  ['all who report have rows', ['a', 'b'], [row('a', 2), row('b', 3)], true],
  ['one reports without a row', ['a', 'b'], [row('a', 2)], false],
  ['one reads less', ['a', 'b'], [row('a', 2), row('b', 1)], false],
  ['a row without reports reads the number', ['a'], [row('a', 2), row('paused', 2)], true],
  ['a row without reports reads less', ['a'], [row('a', 2), row('paused', 1)], false],
  ['only rows are there', [], [row('a', 2)], false],
])('a number counts as read or not when %s', (_, reporting, enlisted, is) => {
  expect(isReadByAll(2, reporting, enlisted)).toBe(is);
});
