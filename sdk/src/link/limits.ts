import type { LinkLimits } from './api.ts';

export const defaultLimits: LinkLimits = {
  reconnect: { minMs: 500, maxMs: 20_000 },
  requestTimeoutMs: 30_000,
  handshakeMs: 10_000,
};
/** After a connection that lasted this long, the next wait starts small again. */
export const stableMs = 5000;
/** How long the closing handshake may take until the socket is forgotten. */
export const closeMs = 2000;
/** How long a drained connection waits for its open requests. */
export const drainMs = 10_000;
/** How long before its end a token is replaced. */
export const renewBeforeMs = 30_000;
/** How long `getToken` may take. */
export const tokenMs = 20_000;
/** The least time for the answer to a probe; a slow network gets four round trips. */
export const probeMs = 1500;
/** Reconnects without a wait are at least so far apart. */
export const atOnceMs = 2000;
/** A hidden page that waits for longer than this tries only once in that time. */
export const hiddenMs = 60_000;
/** A timer that is later than this ran after a sleep: what arrived meanwhile is read before anything is judged. */
export const lateMs = 1000;
/** How often a link looks at its clock. */
export const tickMs = 1000;
/** What a server's own numbers are held to. */
export const heartbeatRange = { minMs: 1000, maxMs: 300_000, defaultMs: 25_000 };
export const longestDrainMs = 60_000;
