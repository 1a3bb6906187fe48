import { hash, timingSafeEqual } from 'node:crypto';
import type { Context, MiddlewareHandler } from 'hono';

const bearer = /^Bearer +(\S+) *$/i;
const basic = /^Basic +(\S+) *$/i;
/** Set by the admin page. A page of another origin cannot set it: that needs a permission which is never given. */
const ownHeader = 'x-restante-admin';

/** The token as the bearer's, or as the password of any user name. */
function presented(authorization: string): string {
  const token = bearer.exec(authorization)?.[1];
  if (token !== undefined) return token;
  const pair = Buffer.from(basic.exec(authorization)?.[1] ?? '', 'base64').toString();
  return pair.slice(pair.indexOf(':') + 1);
}

const digest = (text: string): Buffer => hash('sha256', text, 'buffer');

const answer = (context: Context, status: 401 | 403 | 404, code: string, message: string): Response =>
  context.json({ error: { code, message, retryable: false } }, status);

/**
 * Lets in who has one of the tokens, compared in constant time. Without any token configured nothing here exists. What changes
 * something needs a bearer, the page's own header, or a browser's word that its page is of this origin: a browser sends a password it
 * knows from any page.
 */
export function adminAccess(tokens: readonly string[]): MiddlewareHandler {
  const known = tokens.map(digest);
  return async (context, next) => {
    if (known.length === 0) return answer(context, 404, 'not_found', 'no such route');
    context.header('cache-control', 'no-store');
    const authorization = context.req.header('authorization') ?? '';
    const found = digest(presented(authorization));
    let matches = false;
    for (const one of known) matches = timingSafeEqual(one, found) || matches;
    if (!matches) {
      context.header('www-authenticate', 'Basic realm="Restante", charset="UTF-8"');
      return answer(context, 401, 'unauthenticated', 'the admin token is needed');
    }
    const reads = context.req.method === 'GET' || context.req.method === 'HEAD';
    if (!reads && !bearer.test(authorization) && context.req.header(ownHeader) !== '1' && context.req.header('sec-fetch-site') !== 'same-origin') {
      return answer(context, 403, 'forbidden', `a request that changes something needs a bearer token, or the header ${ownHeader}`);
    }
    await next();
    return undefined;
  };
}
