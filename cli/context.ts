import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The part of the environment that commands use: the same variables and files as a cluster on this machine. */
export type Env = Readonly<Record<string, string | undefined>>;

/** An error that the caller can correct: only its text is printed. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const dataDir = (env: Env): string => env['DATA_DIR'] || 'data';

async function readText(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new UsageError(`cannot read ${path}: ${(error as Error).message}`);
  }
}

/** The secret that signs: the first one in AUTH_SECRET, or the one that the launcher generated. */
export async function findSecret(env: Env): Promise<string> {
  const listed = env['AUTH_SECRET']?.split(',')[0]?.trim();
  if (listed) return listed;
  const path = join(dataDir(env), 'auth-secret');
  const kept = (await readText(path))?.split(',')[0]?.trim();
  if (kept) return kept;
  throw new UsageError(
    `No secret to sign with: set AUTH_SECRET, or start the cluster once (npm start), which writes ${path}.`,
  );
}

/** The requirements of the gateways for a token, from the same variables. */
export function tokenRules(env: Env) {
  const first = (name: string): string | undefined =>
    env[name]
      ?.split(',')
      .map((part) => part.trim())
      .find((part) => part !== '');
  return { audience: first('AUTH_AUDIENCE'), issuer: first('AUTH_ISSUER'), serviceScope: first('AUTH_SERVICE_SCOPE') };
}

/** The first port in the launcher's record of a line: a number, a list, or objects with a `port`. */
function firstPort(value: unknown): number | null {
  if (typeof value === 'number') return value;
  if (Array.isArray(value)) return firstPort(value[0]);
  if (typeof value === 'object' && value !== null && 'port' in value) return firstPort(value.port);
  return null;
}

/** A server may listen on every address; a client needs a single one to connect to. */
const reachable = (host: unknown): string =>
  typeof host === 'string' && host !== '' && host !== '0.0.0.0' && host !== '::' ? host : '127.0.0.1';

/** The gateway as `ws://host:port`: the one that the launcher started, or the one at PORT. */
export async function findUrl(env: Env): Promise<string> {
  const text = await readText(join(dataDir(env), 'run.json'));
  if (text !== null) {
    try {
      const run = JSON.parse(text) as { web?: unknown; host?: unknown; launcher?: unknown } | null;
      const port = firstPort(run?.web);
      // Without a launcher the file describes a stopped cluster.
      if (port !== null && run?.launcher !== null) return `ws://${reachable(run?.host ?? env['HOST'])}:${port}`;
    } catch {
      // Half written or from another version: use the default.
    }
  }
  return `ws://${reachable(env['HOST'])}:${env['PORT'] || '8080'}`;
}

/** `http://…`, `ws://…` or `host:port` as a WebSocket address without a path. */
export function websocketUrl(text: string): string {
  const full = /^[a-z]+:\/\//.test(text) ? text : `ws://${text}`;
  if (!URL.canParse(full) || !/^(ws|http)s?:/.test(full)) throw new UsageError(`not an address of a gateway: ${text}`);
  return full.replace(/^http/, 'ws').replace(/\/+$/, '');
}

export const httpUrl = (websocket: string): string => websocket.replace(/^ws/, 'http');
