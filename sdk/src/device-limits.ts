/** What a device does when its options do not say otherwise. */
export const defaults = {
  reconnect: { minMs: 500, maxMs: 20_000 },
  receivedDelayMs: 75,
  requestTimeoutMs: 30_000,
  handshakeMs: 10_000,
};
/** After a connection that lasted this long, the next wait starts small again. */
export const stableMs = 5000;
/** How long a closing socket may take until it is cut off. */
export const closeMs = 2000;
/** How long before its end a token is replaced by a new one. */
export const reauthMs = 30_000;
/** Tokens refused in a row before the device gives up. */
export const maxRefusals = 3;
