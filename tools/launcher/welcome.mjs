/** The message of `npm start` when everything is ready. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A token for the example user alice; undefined if none can be signed here.
 * @param {{root: string, node: string, env: NodeJS.ProcessEnv, signal: AbortSignal}} options
 * @returns {Promise<string | undefined>}
 */
export function exampleToken({ root, node, env, signal }) {
  const program = join(root, 'cli', 'token.ts');
  if (!existsSync(program)) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    execFile(node, [program, 'alice'], { cwd: root, env, signal, timeout: 20_000 }, (error, stdout) =>
      resolve(error ? undefined : stdout.trim() || undefined),
    );
  });
}

/**
 * @param {{seconds: string, origins: string[], redis: string, dataDir: string, token: string | undefined, page:
 * boolean}} facts `page`: the chat app is served
 * @returns {string[]}
 */
export function welcome({ seconds, origins, redis, dataDir, token, page }) {
  return [
    `ready in ${seconds} s`,
    ...origins.flatMap((origin) => [
      ...(page ? [`  chat app         ${origin}/`] : []),
      `  WebSocket        ${origin.replace(/^http/, 'ws')}/v1/ws`,
    ]),
    `  Redis            ${redis}`,
    `  data             ${dataDir}`,
    `  token for alice  ${token ?? 'npm run token -- alice'}`,
    'try it in two other terminals:',
    '  npm run cli -- chat --as alice --to bob',
    '  npm run cli -- chat --as bob --to alice',
    'Ctrl-C stops everything',
  ];
}
