import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ChainableCommander, Redis } from 'ioredis';
import { runOf } from './connection/run.ts';
import { fenceOf } from './keys.ts';

/**
 * The Lua scripts: one file for one atomic decision, loaded once. A line `-- @include name` puts lua/name.include.lua
 * in its place, for the few functions that several decisions share.
 */
export const scriptNames = [
  'accept-messages',
  'add-dead-letter',
  'adopt-pending',
  'advance-devices',
  'advance-read',
  'amend-message',
  'append-inbox',
  'attach-device',
  'catch-up',
  'change-conversation',
  'change-member',
  'close-dead-letter',
  'compare-members',
  'copy-settings',
  'create-conversation',
  'create-staged',
  'deployment-facts',
  'detach-device',
  'drop-lease',
  'due-waiting',
  'enlist-process',
  'forget-device',
  'hold-lease',
  'install-conversation',
  'install-settings',
  'install-user',
  'keep-recent',
  'know-send',
  'mark-slots',
  'may-see',
  'note-receipts',
  'open-deployment',
  'page-inbox',
  'page-members',
  'peek-waiting',
  'raise-formats',
  'read-conversation',
  'read-devices',
  'read-large',
  'read-members',
  'read-receipts',
  'read-settings',
  'read-texts',
  'read-user',
  'refill-pool',
  'renew-gateway',
  'revoke-user',
  'review-waiting',
  'routes-of',
  'set-setting',
  'settle-entries',
  'settle-presence',
  'spend-budget',
  'stage-held',
  'stage-members',
  'sweep-overlays',
  'tell-users',
  'trim-messages',
  'unload-conversation',
  'who-types',
] as const;

export type ScriptName = (typeof scriptNames)[number];

const source = (file: string): string => readFileSync(new URL(`./lua/${file}.lua`, import.meta.url), 'utf8');

type Script = { lua: string; sha: string };

const scripts = new Map<ScriptName, Script>(
  scriptNames.map((name) => {
    const lua = source(name).replace(/^-- @include (\S+)$/gm, (_, included: string) => source(`${included}.include`));
    return [name, { lua, sha: hash('sha1', lua) }];
  }),
);

export type Argument = string | number | Buffer;

export const isUnknownScript = (thrown: unknown): boolean =>
  thrown instanceof Error && thrown.message.startsWith('NOSCRIPT');

const mostSpread = 10_000;

/** Makes the scripts known to Redis, which forgets them when it restarts. */
export async function loadScripts(redis: Redis): Promise<void> {
  await Promise.all([...scripts.values()].map(({ lua }) => redis.script('LOAD', lua)));
}

/** Loads the scripts whenever the connection is made, because pipelines rely on it. */
export function keepScriptsLoaded(redis: Redis): Redis {
  // A script that cannot be loaded now is loaded by the first call that misses it.
  redis.on('ready', () => void loadScripts(redis).catch(() => undefined));
  return redis;
}

/**
 * The keys of a call, with the fence behind them if the first one is in the slot of a partition or shard. It names the
 * run of Redis that this very connection leads to.
 */
function fenced(through: Redis | ChainableCommander, keys: readonly string[]): string[] {
  const fence = fenceOf(keys[0]!, runOf(through));
  return fence === null ? [...keys] : [...keys, fence];
}

/**
 * Runs one script. The caller names the reply's type, which the script's head describes. Calls the script by its hash:
 * the library's own way of defining commands makes every pipeline pay for every script.
 */
export async function run<Reply>(redis: Redis, name: ScriptName, keys: string[], args: Argument[]): Promise<Reply> {
  const { sha, lua } = scripts.get(name)!;
  const used = fenced(redis, keys);
  // A large group has more members than a function takes arguments.
  const call = (command: 'eval' | 'evalsha', script: string): Promise<unknown> =>
    args.length > mostSpread
      ? redis.call(command, [script, used.length, ...used, ...args])
      : redis[command](script, used.length, ...used, ...args);
  try {
    return (await call('evalsha', sha)) as Reply;
  } catch (thrown) {
    // The script was not run at all, so calling it again with its text repeats nothing.
    if (!isUnknownScript(thrown)) throw thrown;
    return (await call('eval', lua)) as Reply;
  }
}

/**
 * Puts one script call into a pipeline. The reply is NOSCRIPT if Redis has forgotten the script: load the scripts and
 * repeat the pipeline.
 */
export function queue(pipeline: ChainableCommander, name: ScriptName, keys: string[], args: Argument[]): void {
  const used = fenced(pipeline, keys);
  pipeline.evalsha(scripts.get(name)!.sha, used.length, ...used, ...args);
}
