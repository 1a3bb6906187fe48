import { readFileSync } from 'node:fs';
import type { ChainableCommander, Redis } from 'ioredis';

/**
 * The Lua scripts: one file for one atomic decision, loaded once. A line `-- @include name` puts lua/name.include.lua in its
 * place, for the few functions that several decisions share.
 */
const names = [
  'accept-messages',
  'advance-devices',
  'advance-read',
  'append-inbox',
  'attach-device',
  'change-member',
  'create-conversation',
  'detach-device',
  'drop-lease',
  'enlist-process',
  'forget-device',
  'hold-lease',
  'install-conversation',
  'install-user',
  'open-slot',
  'page-inbox',
  'read-conversation',
  'read-devices',
  'read-user',
  'rename-conversation',
  'renew-gateway',
  'settle-entries',
  'trim-messages',
] as const;

export type ScriptName = (typeof names)[number];

const source = (file: string): string => readFileSync(new URL(`./lua/${file}.lua`, import.meta.url), 'utf8');

const scripts = new Map<ScriptName, string>(
  names.map((name) => [name, source(name).replace(/^-- @include (\S+)$/gm, (_, included: string) => source(`${included}.include`))]),
);

type Argument = string | number | Buffer;
type Runner = Record<string, (...args: Argument[]) => unknown>;

/** Makes the scripts known to a connection. Call once for each, before `run`. */
export function defineScripts(redis: Redis): Redis {
  for (const [name, lua] of scripts) redis.defineCommand(name, { lua });
  return redis;
}

/** Runs one script. The reply's shape is that in the script's head; the caller names it. */
export const run = <Reply>(redis: Redis, name: ScriptName, keys: string[], args: Argument[]): Promise<Reply> =>
  (redis as unknown as Runner)[name]!(keys.length, ...keys, ...args) as Promise<Reply>;

/** Puts one script call into a pipeline. */
export const queue = (pipeline: ChainableCommander, name: ScriptName, keys: string[], args: Argument[]): void => {
  (pipeline as unknown as Runner)[name]!(keys.length, ...keys, ...args);
};
