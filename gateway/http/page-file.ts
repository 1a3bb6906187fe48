import { readFileSync } from 'node:fs';
import type { Handler } from 'hono';
import type { HttpEnv } from './context.ts';
import { etagOf, sendFile, typeOf } from './served-files.ts';

/**
 * Serves a file of a page. It is read once, when the gateway starts. A browser keeps it, and asks each time whether it
 * is still the same: an update must not leave one page with files of two versions.
 */
export function pageFile(file: URL, headers: Record<string, string> = {}): Handler<HttpEnv> {
  const type = typeOf(file.pathname);
  if (type === undefined) throw new Error(`no content type is known for ${file.pathname}`);
  const bytes = readFileSync(file);
  const served = { bytes, etag: etagOf(bytes), type };
  return (context) => sendFile(context, served, headers);
}
