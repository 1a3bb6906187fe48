import { expect, test } from 'vitest';
import { createFeatures } from '../../../gateway/features.ts';
import type { Level } from '../../../shared/model/levels.ts';
import { loadConfig } from '../../../shared/process/config.ts';

const config = loadConfig({}, { auth: false });

test('durable is listed while Redis can give it', () => {
  let levels: readonly Level[] = ['accepted', 'stored'];
  const features = createFeatures(
    config,
    () => levels,
    () => 1,
  );
  expect(features.serves('durable')).toBe(false);
  expect(features.list()).not.toContain('durable');
  levels = ['accepted', 'durable', 'stored'];
  expect(features.serves('durable')).toBe(true);
  expect(features.list()).toEqual(expect.arrayContaining(['push', 'history', 'durable']));
});
