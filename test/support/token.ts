import { createHmac } from 'node:crypto';

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/**
 * A JWT with exactly this header and these claims, however wrong they are. `secret` null leaves the signature empty.
 */
export function signClaims(
  claims: object,
  secret: string | null,
  header: object = { alg: 'HS256', typ: 'JWT' },
): string {
  const signed = `${part(header)}.${part(claims)}`;
  return `${signed}.${secret === null ? '' : createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

export const nowSeconds = (): number => Math.floor(Date.now() / 1000);
