import type { ChainableCommander, Redis } from 'ioredis';

/** A connector that knows the run of Redis at the other end of its connection (primary.ts). */
export type RunConnector = { readonly run: string };

/** What the library has, but does not declare. */
type Through = { redis?: Through; connector?: Partial<RunConnector> };

/**
 * The id of the run of Redis that a connection leads to, '' while it is not connected. A connection belongs to one run
 * for its life: Redis takes a new id with each start, and a promoted replica has one of its own. Also takes a pipeline
 * of the connection, and a copy of it as holdCommands makes one.
 */
export function runOf(through: Redis | ChainableCommander): string {
  const { redis, connector } = through as unknown as Through;
  return (redis?.connector ?? connector)?.run ?? '';
}
