/** The WebSocket close codes of `restante.v1` that a client acts upon. */
export const closeCodes = {
  abuse: 4400,
  unauthenticated: 4401,
  forbidden: 4403,
  replaced: 4409,
  tooSlow: 4410,
} as const;

/** Close codes after which a client does not reconnect by itself. */
export const isFinal = (code: number): boolean =>
  code === closeCodes.abuse || code === closeCodes.forbidden || code === closeCodes.replaced;
