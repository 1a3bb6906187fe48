/** WebSocket close codes. `abuse`, `forbidden` and `replaced` tell the client not to reconnect by itself. */
export const closeCodes = {
  goingAway: 1001,
  internal: 1011,
  restart: 1012,
  abuse: 4400,
  unauthenticated: 4401,
  forbidden: 4403,
  noHello: 4408,
  replaced: 4409,
  tooSlow: 4410,
  tooMany: 4429,
} as const;
