import { createSecretKey } from 'node:crypto';
import {
  type CryptoKey,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  jwtVerify,
  type JWTVerifyOptions,
  type KeyObject,
  type ProtectedHeaderParameters,
} from 'jose';
import { Refusal } from '../../shared/model/errors.ts';
import { idPattern } from '../../shared/model/model.ts';
import { latestMs } from '../../shared/timing/clocks.ts';
import type { KeyServer } from './key-server.ts';

/** The user or service that a valid token names. */
export type Principal = {
  user: string;
  /** A token may be bound to one device. */
  device: string | null;
  /** Whether it is a back end of the deployment. */
  service: boolean;
  /** Seconds since 1970; 0 when the token does not say. */
  issuedAt: number;
  /** Milliseconds since 1970. */
  expiresAt: number;
};

/**
 * Resolves with the principal of a token, or rejects with `unauthenticated`. The text is the same whatever was wrong.
 * Rejects with `retry_later` while the key server cannot tell.
 */
export type Authenticate = (token: string) => Promise<Principal>;

export type TokenRules = {
  /** A token must name one of them in `aud`. Empty: `aud` is not checked. */
  audiences: readonly string[];
  /** A token must name one of them in `iss`. Empty: `iss` is not checked. */
  issuers: readonly string[];
  /** The word in `scope` that marks a service token. */
  serviceScope: string;
};

/** Asymmetric algorithms only: a public key must never serve as an HMAC secret. */
const jwksAlgorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
/** The end of the year 9999 (s). A later time is a mistake, most often a time in milliseconds. */
const lastMoment = 253_402_300_799;
/** How far an issuer's clock may be ahead of ours (s). A token issued later would outlive every revocation. */
const mostAheadSeconds = 300;

export const refused = (cause?: unknown): Refusal =>
  new Refusal('unauthenticated', 'the token is not valid', { cause });

function principalOf(claims: JWTPayload & { dev?: unknown; scope?: unknown }, serviceScope: string): Principal {
  const { sub, exp, iat = 0, dev, scope } = claims;
  if (typeof sub !== 'string' || !idPattern.test(sub)) throw refused();
  if (typeof exp !== 'number' || !(exp <= lastMoment)) throw refused();
  if (!(iat <= latestMs() / 1000 + mostAheadSeconds)) throw refused();
  if (dev !== undefined && (typeof dev !== 'string' || !idPattern.test(dev))) throw refused();
  const scopes = typeof scope === 'string' ? scope.split(' ') : [];
  return {
    user: sub,
    device: dev ?? null,
    service: scopes.includes(serviceScope),
    issuedAt: iat,
    expiresAt: Math.floor(exp * 1000),
  };
}

/** The header of a token. Throws for a token that cannot be valid, so that no key is fetched for it. */
function readHeader(token: string): ProtectedHeaderParameters {
  let header: ProtectedHeaderParameters;
  try {
    header = decodeProtectedHeader(token);
  } catch {
    throw refused();
  }
  if (typeof header.alg !== 'string' || !jwksAlgorithms.includes(header.alg)) throw refused();
  return header;
}

/**
 * Checks tokens with the keys of an issuer if there is a key server, otherwise with the deployment's own secrets
 * (HS256). The settings decide which, never the token.
 */
export function createAuthenticate(
  secrets: readonly string[],
  keyServer: KeyServer | null,
  rules: TokenRules,
): Authenticate {
  const own = secrets.map((secret) => createSecretKey(Buffer.from(secret)));
  const options: JWTVerifyOptions = {
    algorithms: keyServer === null ? ['HS256'] : jwksAlgorithms,
    requiredClaims: ['exp', 'sub'],
    ...(rules.audiences.length === 0 ? {} : { audience: [...rules.audiences] }),
    ...(rules.issuers.length === 0 ? {} : { issuer: [...rules.issuers] }),
  };

  /** The claims of a token, if one of the keys has signed it. */
  async function verified(token: string, keys: readonly (CryptoKey | KeyObject)[]): Promise<JWTPayload> {
    for (const key of keys) {
      try {
        return (await jwtVerify(token, key, options)).payload;
      } catch (thrown) {
        if (!(thrown instanceof errors.JWSSignatureVerificationFailed)) throw thrown;
      }
    }
    throw refused();
  }

  return async (token) => {
    try {
      const keys = keyServer === null ? own : await keyServer.keysOf(readHeader(token));
      return principalOf(await verified(token, keys), rules.serviceScope);
    } catch (thrown) {
      if (thrown instanceof Refusal) throw thrown;
      // jose's own errors are about the token. Any other error is logged as the cause; the client gets the same answer.
      throw thrown instanceof errors.JOSEError ? refused() : refused(thrown);
    }
  };
}
