import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import { healthPaths } from '../../shared/process/health.ts';
import { type Logger, seldom } from '../../shared/process/log.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import { type AddressOf, networkOf } from './client-address.ts';

/** Which bound is reached: connections of this process, or unauthenticated ones of one address. */
export type Bound = 'total' | 'address';
/** The HTTP status of a refusal. */
export const boundStatus = { total: 503, address: 429 } as const satisfies Record<Bound, number>;

/**
 * Connections beyond a bound that are still heard, since they may ask for the health routes. Beyond these they are cut
 * off.
 */
const reserve = 100;
/** They have this long to ask (ms). */
const reserveMs = 2000;

/**
 * How many connections a gateway takes. Unauthenticated is a plain HTTP connection, and a WebSocket until its hello has
 * been welcomed. Behind a trusted proxy its connections are everybody's, so there a plain request in progress counts in
 * the place of its connection. What comes beyond a bound is refused as soon as it asks for anything but the health
 * routes. 0: no bound.
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
  /** Who is unauthenticated, sockets or requests, and from where; and how many these are of each network. */
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

  /** One function for all connections, which a welcomed one loses again: an idle connection costs nothing here. */
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

  /** Whether a request or upgrade is refused. From here on `who` counts until it leaves. */
  function check(request: IncomingMessage, who: object): Bound | null {
    const bound = boundOf(request, who);
    if (bound !== null) options.refused(bound, options.addressOf(request));
    return bound;
  }

  return {
    /** A connection came to the server, which counts those that are open. */
    opened(socket: Socket, server: Pick<Server, 'getConnections'>): void {
      socket.on('close', closed);
      const ofAddress = options.trustProxy ? 0 : enter(socket, networkOf(socket.remoteAddress ?? ''));
      if (ofAddress > mostUnauthenticated) hold(socket, 'address', ofAddress - mostUnauthenticated);
      // Answered within this turn of the event loop: before anything that the connection says.
      else server.getConnections((_, open) => open > most && hold(socket, 'total', open - most));
    },

    /** The bound by which a plain request is refused; null: it is answered. */
    ofRequest(request: IncomingMessage, response: ServerResponse): Bound | null {
      const held = beyond.get(request.socket);
      if (held !== undefined) {
        // It has asked: the answer may take its time, and ends the connection.
        clearTimeout(held.impatience);
        response.shouldKeepAlive = false;
      }
      if (healthPaths.has(request.url!.split('?', 1)[0]!)) return null;
      const bound = check(request, request);
      if (bound === null && options.trustProxy) response.on('close', () => leave(request));
      return bound;
    },

    /** The bound by which an upgrade is refused; null: it goes on. */
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
 * Counts refused connections, and says so in the log: one line a second for each bound, with how many it stands for.
 */
export function createBoundReport(metrics: Pick<Metrics, 'connectionsRefused'>, log: Logger) {
  const due = seldom();
  return (bound: Bound, address: string): void => {
    metrics.connectionsRefused.inc({ bound });
    const also = due(bound);
    if (also !== null) log.warn({ event: 'connections_refused', bound, address, also });
  };
}
