import { hash, timingSafeEqual } from 'node:crypto';
import type { Context, MiddlewareHandler } from 'hono';
import { notFound, Refusal } from '../../shared/model/errors.ts';
import type { AuditLog } from '../audit-log.ts';
import type { HttpEnv, HttpParts } from '../http/context.ts';
import { createLoginAttempts } from './login-attempts.ts';

const bearer = /^Bearer +(\S+) *$/i;
const basic = /^Basic +(\S+) *$/i;
/** Set by the admin page. A page of another origin cannot set it: no CORS permission is ever given for it. */
const ownHeader = 'x-restante-admin';

/** The token in an Authorization header: a bearer token, or the password of any user name. */
function presented(authorization: string): string {
  const token = bearer.exec(authorization)?.[1];
  if (token !== undefined) return token;
  const pair = Buffer.from(basic.exec(authorization)?.[1] ?? '', 'base64').toString();
  return pair.slice(pair.indexOf(':') + 1);
}

const digest = (text: string): Buffer => hash('sha256', text, 'buffer');

const refusal = (context: Context, code: string, message: string) =>
  context.json({ error: { code, message, retryable: false } }, code === 'unauthenticated' ? 401 : 403);

/**
 * Lets operators in who have one of the admin tokens. Tokens are compared in constant time. Without a configured token
 * every route is `not_found`. Wrong tokens are logged and slowed down (login-attempts.ts), and every change is logged.
 *
 * A request that changes something needs more than a password, since a browser sends a password that it knows from
 * pages of any origin. It needs a bearer token, the header of the admin page, or `Sec-Fetch-Site: same-origin`.
 */
export function adminAccess(
  tokens: readonly string[],
  audit: AuditLog,
  note: HttpParts['noteRefusal'],
): MiddlewareHandler<HttpEnv> {
  const known = tokens.map(digest);
  const attempts = createLoginAttempts();

  /** The place of a token in the list, from 1; 0 if it is not in it. Takes the same time for every token. */
  function placeOf(token: string): number {
    const found = digest(token);
    let place = 0;
    known.forEach((one, i) => (place = timingSafeEqual(one, found) ? i + 1 : place));
    return place;
  }

  return async (context, next) => {
    if (known.length === 0) throw notFound('no such route');
    context.header('cache-control', 'no-store');
    const authorization = context.req.header('authorization') ?? '';
    const token = presented(authorization);
    const address = audit.addressIn(context);
    const waitMs = token === '' ? 0 : attempts.waitMs(address);
    if (waitMs > 0)
      throw new Refusal('rate_limited', 'too many wrong tokens came from this address', { retryAfterMs: waitMs });
    const place = placeOf(token);
    if (place === 0) {
      if (token !== '') audit.adminRefused(context, attempts.failed(address));
      note(new Refusal('unauthenticated', 'the admin token is needed'), 'admin');
      context.header('www-authenticate', 'Basic realm="Restante", charset="UTF-8"');
      return refusal(context, 'unauthenticated', 'the admin token is needed');
    }
    if (context.req.method === 'GET' || context.req.method === 'HEAD') return next();
    if (
      !bearer.test(authorization) &&
      context.req.header(ownHeader) !== '1' &&
      context.req.header('sec-fetch-site') !== 'same-origin'
    ) {
      audit.adminRefused(context, 0);
      return refusal(
        context,
        'forbidden',
        `a request that changes something needs a bearer token, or the header ${ownHeader}`,
      );
    }
    await next();
    audit.admin(context, { status: context.res.status, token: place, ...context.get('detail') });
    return undefined;
  };
}
