import type { TestProject } from 'vitest/node';
import { startRedis } from './redis-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** One real Redis for all tests of the project: every test uses its own key prefix and never flushes. */
    redisUrl: string;
  }
}

/** Starts a private Redis without persistence before the tests, and stops it after them. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const redis = await startRedis();
  project.provide('redisUrl', redis.url);
  return redis.stop;
}
