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

export type TokenRules = {
  /** Of which a token must name one in `aud`, in `iss`; empty: not looked at. */
  audiences: readonly string[];
  issuers: readonly string[];
  /** What in `scope` makes a token a back end's. */
  serviceScope: string;
};

/** Asymmetric algorithms only: a public key must never serve as an HMAC secret. */
const jwksAlgorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
/** The end of the year 9999, in seconds. Beyond it lie mistakes: above all times in milliseconds. */
const lastMoment = 253_402_300_799;
/** An issuer's clock may be ahead of ours by this long (s). Later ones would outlive every revocation. */
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

/** What a token says of its key. No key is fetched for one that cannot be valid. */
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
 * Checks tokens with the deployment's own secrets (HS256), or with the keys of an issuer where there is a key server.
 * Which one is decided by the settings, never by the token.
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

  /** The claims of a token that one of the keys has signed. */
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
      // jose's own errors are about the token. Anything else is logged: the client hears the same.
      throw thrown instanceof errors.JOSEError ? refused() : refused(thrown);
    }
  };
}
