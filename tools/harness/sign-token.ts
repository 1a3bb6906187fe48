import { SignJWT } from 'jose';

export type TokenRequest = {
  user: string;
  /** How long it is good for, in seconds. */
  ttlSeconds: number;
  /** Binds the token to one device. */
  device?: string;
  /** A back end's token instead of a user's. */
  service?: boolean;
  /** What the gateways ask of a token (AUTH_AUDIENCE, AUTH_ISSUER, AUTH_SERVICE_SCOPE). */
  audience?: string | undefined;
  issuer?: string | undefined;
  serviceScope?: string | undefined;
};

/**
 * A token as the gateway verifies it: HS256, `sub`, `iat`, `exp`, and `dev`, `scope`, `aud` and `iss` where asked for.
 */
export function signToken(secret: string, request: TokenRequest): Promise<string> {
  const claims = {
    ...(request.device === undefined ? {} : { dev: request.device }),
    ...(request.service === true ? { scope: request.serviceScope ?? 'service' } : {}),
    ...(request.audience === undefined ? {} : { aud: request.audience }),
    ...(request.issuer === undefined ? {} : { iss: request.issuer }),
  };
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(request.user)
    .setIssuedAt(now)
    .setExpirationTime(now + request.ttlSeconds)
    .sign(new TextEncoder().encode(secret));
}

const unitSeconds: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `90s`, `15m`, `1h`, `7d` in seconds; null for anything else. */
export function parseTtl(text: string): number | null {
  const match = /^([1-9][0-9]{0,8})([smhd])$/.exec(text);
  return match === null ? null : Number(match[1]) * unitSeconds[match[2]!]!;
}
