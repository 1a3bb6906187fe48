import { expect, test } from 'vitest';
import { formatsFault, newestFormats, oldestFormats } from '../../../../shared/recovery/formats.ts';

test('every number from the oldest to the newest can be used', () => {
  expect([oldestFormats, newestFormats].map(formatsFault)).toEqual([null, null]);
});

test('a higher one asks for the newer version', () => {
  expect(formatsFault(newestFormats + 1)).toBe(
    `this deployment is at formats ${newestFormats + 1}, this version reads ${oldestFormats} to ${newestFormats}: ` +
      'start the newer version that has used it',
  );
});

test.each([0, Number.NaN])('what is no known number is a fault: %s', (found) => {
  expect(formatsFault(found)).toContain(`this version reads ${oldestFormats} to ${newestFormats}`);
});
