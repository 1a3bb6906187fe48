import { expect, test } from 'vitest';
import { isBelow } from '../../../../shared/model/stream-ids.ts';

test('orders stream ids by time, then by number', () => {
  const rising = [
    '0-0',
    '0-1',
    '9-10',
    '10-9',
    '10-10',
    '1700000000000-0',
    '18446744073709551615-18446744073709551615',
  ];
  for (const [i, one] of rising.entries())
    for (const [j, other] of rising.entries()) expect(isBelow(one, other)).toBe(i < j);
});
