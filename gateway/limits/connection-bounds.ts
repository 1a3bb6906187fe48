import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import { healthPaths } from '../../shared/process/health.ts';
import { type Logger, seldom } from '../../shared/process/log.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import { type AddressOf, networkOf } from './client-address.ts';

/** `total`: all connections of this process. `address`: unauthenticated connections of one address. */
export type Bound = 'total' | 'address';
/** The HTTP status of a refusal. */
export const boundStatus = { total: 503, address: 429 } as const satisfies Record<Bound, number>;

/**
 * Connections beyond a bound that are kept open for a moment, since they may ask for the health routes. Further ones
 * are cut off at once.
 */
const reserve = 100;
/** How long they are kept open without a request (ms). */
const reserveMs = 2000;

/**
 * Limits the connections of a gateway; 0 is no limit. Beyond a limit only the health routes are answered.
 *
 * Unauthenticated are plain HTTP connections, and WebSockets until `welcome`. A trusted proxy shares its connections
 * between clients, so behind one a plain request in progress is counted instead of its connection.
 */
export function createConnectionBounds(options: {
  most: number;
  mostUnauthenticated: number;
  trustProxy: boolean;
  addressOf: AddressOf;
  refused: (bound: Bound, address: string) => void;
}) {
  const most = options.most || Infinity;
  const mostUnauthenticated = options.mostUnauthenticated || Infinity;
  /** Connections beyond a bound. */
  const beyond = new Map<Socket, { bound: Bound; impatience: NodeJS.Timeout }>();
  /** The network of each unauthenticated socket or request, and how many there are of each network. */
  const unauthenticated = new Map<object, string>();
  const counts = new Map<string, number>();

  function enter(who: object, network: string): number {
    const count = (counts.get(network) ?? 0) + 1;
    counts.set(network, count);
    unauthenticated.set(who, network);
    return count;
  }

  function leave(who: object): void {
    const network = unauthenticated.get(who);
    if (network === undefined) return;
    unauthenticated.delete(who);
    const count = counts.get(network)! - 1;
    if (count === 0) counts.delete(network);
    else counts.set(network, count);
  }

  /** One function for all connections, removed at `welcome`: an idle connection costs nothing here. */
  function closed(this: Socket): void {
    clearTimeout(beyond.get(this)?.impatience);
    beyond.delete(this);
    leave(this);
  }

  function hold(socket: Socket, bound: Bound, over: number): void {
    if (over > reserve) {
      options.refused(bound, socket.remoteAddress ?? '');
      socket.destroy();
      return;
    }
    const impatience = setTimeout(() => {
      options.refused(bound, socket.remoteAddress ?? '');
      socket.destroy();
    }, reserveMs);
    beyond.set(socket, { bound, impatience: impatience.unref() });
  }

  function boundOf(request: IncomingMessage, who: object): Bound | null {
    const held = beyond.get(request.socket);
    if (held !== undefined) return held.bound;
    if (!options.trustProxy) return null;
    const network = networkOf(options.addressOf(request));
    if ((counts.get(network) ?? 0) >= mostUnauthenticated) return 'address';
    enter(who, network);
    return null;
  }

  /** The bound by which a request or upgrade is refused; null: it is accepted, and `who` counts until it leaves. */
  function check(request: IncomingMessage, who: object): Bound | null {
    const bound = boundOf(request, who);
    if (bound !== null) options.refused(bound, options.addressOf(request));
    return bound;
  }

  return {
    /** A client has connected. `server` knows how many connections are open. */
    opened(socket: Socket, server: Pick<Server, 'getConnections'>): void {
      socket.on('close', closed);
      const ofAddress = options.trustProxy ? 0 : enter(socket, networkOf(socket.remoteAddress ?? ''));
      if (ofAddress > mostUnauthenticated) hold(socket, 'address', ofAddress - mostUnauthenticated);
      // The answer comes within this turn of the event loop, before anything is read from the connection.
      else server.getConnections((_, open) => open > most && hold(socket, 'total', open - most));
    },

    /** The bound by which a plain request is refused; null: it may be answered. */
    ofRequest(request: IncomingMessage, response: ServerResponse): Bound | null {
      const held = beyond.get(request.socket);
      if (held !== undefined) {
        // It has sent a request. The answer may take its time, and then the connection is closed.
        clearTimeout(held.impatience);
        response.shouldKeepAlive = false;
      }
      if (healthPaths.has(request.url!.split('?', 1)[0]!)) return null;
      const bound = check(request, request);
      if (bound === null && options.trustProxy) response.on('close', () => leave(request));
      return bound;
    },

    /** The bound by which an upgrade is refused; null: it may go on. */
    ofUpgrade: (request: IncomingMessage): Bound | null => check(request, request.socket),

    /** The WebSocket on this connection has been welcomed. */
    authenticated(socket: Socket): void {
      leave(socket);
      socket.off('close', closed);
    },
  };
}

export type ConnectionBounds = ReturnType<typeof createConnectionBounds>;

/**
 * Counts refused connections and logs them: one line a second for each bound, with the number it stands for.
 */
export function createBoundReport(metrics: Pick<Metrics, 'connectionsRefused'>, log: Logger) {
  const due = seldom();
  return (bound: Bound, address: string): void => {
    metrics.connectionsRefused.inc({ bound });
    const also = due(bound);
    if (also !== null) log.warn({ event: 'connections_refused', bound, address, also });
  };
}
