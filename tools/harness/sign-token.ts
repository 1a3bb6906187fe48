import { createHmac } from 'node:crypto';

export type TokenRequest = {
  user: string;
  /** How long it is valid, in seconds. */
  ttlSeconds: number;
  /** Binds the token to one device. */
  device?: string;
  /** A token for a back end instead of a user. */
  service?: boolean;
  /** The values that the gateways require of a token (AUTH_AUDIENCE, AUTH_ISSUER, AUTH_SERVICE_SCOPE). */
  audience?: string | undefined;
  issuer?: string | undefined;
  serviceScope?: string | undefined;
};

export const nowSeconds = (): number => Math.floor(Date.now() / 1000);

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A JWT with exactly this header and these claims, valid or not. `secret` null leaves the signature empty. */
export function signClaims(
  claims: object,
  secret: string | null,
  header: object = { alg: 'HS256', typ: 'JWT' },
): string {
  const signed = `${part(header)}.${part(claims)}`;
  return `${signed}.${secret === null ? '' : createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/**
 * A token that the gateway accepts: HS256 with `sub`, `iat` and `exp`, and on request `dev`, `scope`, `aud` and `iss`.
 */
export function signToken(secret: string, request: TokenRequest): string {
  const now = nowSeconds();
  const claims = {
    ...(request.device === undefined ? {} : { dev: request.device }),
    ...(request.service === true ? { scope: request.serviceScope ?? 'service' } : {}),
    ...(request.audience === undefined ? {} : { aud: request.audience }),
    ...(request.issuer === undefined ? {} : { iss: request.issuer }),
    sub: request.user,
    iat: now,
    exp: now + request.ttlSeconds,
  };
  return signClaims(claims, secret);
}

const unitSeconds: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `90s`, `15m`, `1h`, `7d` in seconds; null for anything else. */
export function parseTtl(text: string): number | null {
  const match = /^([1-9][0-9]{0,8})([smhd])$/.exec(text);
  return match === null ? null : Number(match[1]) * unitSeconds[match[2]!]!;
}
