import type { Clock } from '../platform/clock.ts';

/** After this long a server has handled a hello, or has closed its socket. */
const pendingMs = 60_000;

export type LateHello = {
  /** A socket was given up after its hello and before the answer. */
  gaveUp(): void;
  /** Whether such a hello may have replaced this connection. Each of them explains one. */
  explains(): boolean;
};

/**
 * A hello that was given up can come to its turn after the hello of the next socket, for example at a slower gateway.
 * The server then takes this device's new connection for the older one and closes it as replaced, although nobody else
 * uses the device.
 */
export function createLateHello(clock: Clock): LateHello {
  let pending = 0;
  let lastAt = 0;
  return {
    gaveUp() {
      lastAt = clock.now();
      pending++;
    },
    explains() {
      if (clock.now() - lastAt > pendingMs) pending = 0;
      return pending > 0 && pending-- > 0;
    },
  };
}
