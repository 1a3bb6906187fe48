import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { Context } from 'hono';

export type ServedFile = { bytes: Buffer; etag: string; type: string };

/** Reads a file below its folder. Null for one that is not there, may not be served, or is not named plainly. */
export type ServedFiles = (path: string) => Promise<ServedFile | null>;

const types: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.map': 'application/json',
  '.mjs': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.webmanifest': 'application/manifest+json',
};

/** Undefined for a file that is not served. */
export const typeOf = (path: string): string | undefined => types[extname(path)];

/** Segments of letters, digits, dots and dashes that begin with a letter or digit: nothing leads out of the folder. */
const plainPath = /^[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)*$/;

export const etagOf = (content: string | Buffer): string =>
  `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`;

/** Files of one folder, as they are now: while somebody works on them, the next request has the new text. */
export function createServedFiles(folder: string): ServedFiles {
  const kept = new Map<string, ServedFile & { changed: number }>();
  return async (path) => {
    const type = typeOf(path);
    if (type === undefined || !plainPath.test(path)) return null;
    const full = join(folder, path);
    try {
      const found = await stat(full);
      if (!found.isFile()) return null;
      const known = kept.get(path);
      if (known?.changed === found.mtimeMs) return known;
      const bytes = await readFile(full);
      const file = { bytes, etag: etagOf(bytes), type, changed: found.mtimeMs };
      kept.set(path, file);
      return file;
    } catch {
      return null;
    }
  };
}

/** Answers with a file that browsers ask for again each time, and mostly need not load again. */
export function sendFile(context: Context, { bytes, etag, type }: ServedFile, headers: Record<string, string> = {}) {
  const all = { ...headers, etag, 'cache-control': 'no-cache' };
  const known = context.req.header('if-none-match')?.split(',') ?? [];
  // A proxy that compresses an answer marks its tag as weak.
  const isKnown = known.some((one) => one.trim().replace(/^W\//, '') === etag);
  if (isKnown) return context.body(null, 304, all);
  return context.body(new Uint8Array(bytes), 200, { ...all, 'content-type': type });
}
