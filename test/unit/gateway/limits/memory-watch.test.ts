import type { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createMemoryWatch } from '../../../../gateway/limits/memory-watch.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test.each([
  [10, 100, false, false],
  [75, 100, false, false],
  [76, 100, true, false],
  [90, 100, true, false],
  [91, 100, true, true],
  [1000, 0, false, false],
])('with %i of %i bytes used, caches stop: %s, writes stop: %s', async (used, most, tight, full) => {
  const redis = {
    info: async () => `# Memory\r\nused_memory:${used}\r\nused_memory_human:x\r\nmaxmemory:${most}\r\n`,
  } as unknown as Redis;
  const memory = createMemoryWatch(redis);
  await vi.advanceTimersByTimeAsync(1000);
  expect(memory.isTight).toBe(tight);
  expect(memory.isFull).toBe(full);
  memory.stop();
});
