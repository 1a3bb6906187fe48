import { createSecretKey } from 'node:crypto';
import { createRemoteJWKSet, type JWTPayload, jwtVerify } from 'jose';
import { Refusal } from '../shared/errors.ts';
import { idPattern } from '../shared/model.ts';

/** Whoever a valid token names. */
export type Principal = {
  user: string;
  /** A token may be bound to one device. */
  device: string | null;
  /** A back end of the deployment. */
  service: boolean;
  /** Seconds since 1970; 0 when the token does not say. */
  issuedAt: number;
  /** Milliseconds since 1970. */
  expiresAt: number;
};

/** Resolves the principal of a token, or rejects with `unauthenticated`: always the same text, whatever was wrong. */
export type Authenticate = (token: string) => Promise<Principal>;

/** Asymmetric algorithms only: a public key must never serve as an HMAC secret. */
const jwksAlgorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

export const refused = (): Refusal => new Refusal('unauthenticated', 'the token is not valid');

function principalOf({ sub, exp, iat, dev, scope }: JWTPayload & { dev?: unknown; scope?: unknown }): Principal {
  if (typeof sub !== 'string' || !idPattern.test(sub)) throw refused();
  if (typeof exp !== 'number' || !Number.isFinite(exp)) throw refused();
  if (dev !== undefined && (typeof dev !== 'string' || !idPattern.test(dev))) throw refused();
  const scopes = typeof scope === 'string' ? scope.split(' ') : [];
  return { user: sub, device: dev ?? null, service: scopes.includes('service'), issuedAt: iat ?? 0, expiresAt: Math.floor(exp * 1000) };
}

export function createAuthenticate(options: { secrets: readonly string[]; jwksUrl: string }): Authenticate {
  const keys = options.secrets.map((secret) => createSecretKey(Buffer.from(secret)));
  const remote = options.jwksUrl === '' ? null : createRemoteJWKSet(new URL(options.jwksUrl));

  return async (token) => {
    if (remote !== null) {
      try {
        return principalOf((await jwtVerify(token, remote, { algorithms: jwksAlgorithms, requiredClaims: ['exp', 'sub'] })).payload);
      } catch (thrown) {
        // The key server being away says nothing about the token.
        if (thrown instanceof Error && /timeout|fetch failed|Expected 200/i.test(thrown.message)) {
          throw new Refusal('retry_later', 'tokens cannot be checked now', { retryAfterMs: 1000, cause: thrown });
        }
        throw refused();
      }
    }
    for (const key of keys) {
      try {
        return principalOf((await jwtVerify(token, key, { algorithms: ['HS256'], requiredClaims: ['exp', 'sub'] })).payload);
      } catch {
        continue;
      }
    }
    throw refused();
  };
}
