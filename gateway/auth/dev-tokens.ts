import { createSecretKey } from 'node:crypto';
import { SignJWT } from 'jose';
import type { Config } from '../../shared/process/config.ts';
import { wallMs } from '../../shared/timing/clocks.ts';

/** Signs a token for any user that is named. */
export type SignDevToken = (user: string) => Promise<string>;

const validSeconds = 3600;
const loopback = /^(127(\.\d{1,3}){3}|localhost|\[?::1\]?)$/i;

/** Whether an address or the name in a `Host` header, without its port, leads to this machine alone. */
export const isLoopback = (host: string): boolean => loopback.test(host);

/**
 * Tokens for the demo users of the chat app. Null where anybody but the developer could ask for them: in production, on
 * an address that other machines reach, behind a proxy, or where another issuer signs.
 */
export function createDevTokens({
  NODE_ENV,
  HOST,
  TRUST_PROXY,
  AUTH_SECRET,
  AUTH_JWKS_URL,
  AUTH_AUDIENCE,
  AUTH_ISSUER,
}: Config): SignDevToken | null {
  const secret = AUTH_SECRET[0];
  const isOpen = NODE_ENV === 'production' || TRUST_PROXY || !isLoopback(HOST);
  if (isOpen || secret === undefined || AUTH_JWKS_URL !== '') return null;
  const key = createSecretKey(Buffer.from(secret));
  return (user) => {
    const now = Math.floor(wallMs() / 1000);
    const token = new SignJWT({})
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setSubject(user)
      .setIssuedAt(now)
      .setExpirationTime(now + validSeconds);
    if (AUTH_AUDIENCE[0] !== undefined) token.setAudience(AUTH_AUDIENCE[0]);
    if (AUTH_ISSUER[0] !== undefined) token.setIssuer(AUTH_ISSUER[0]);
    return token.sign(key);
  };
}
