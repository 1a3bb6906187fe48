import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Hono } from 'hono';
import { type ServerOptions, WebSocketServer } from 'ws';
import { boundStatus, type ConnectionBounds } from '../limits/connection-bounds.ts';
import { DeviceSocket } from './device-socket.ts';

export const subprotocol = 'restante.v1';

/** Given to the app with an upgrade. The route of the socket sets `accepted`; otherwise its response is the refusal. */
export type UpgradeBindings = { upgrade?: { accepted: boolean } };

/**
 * Limits the fragments of a frame: one for each of this many bytes of the frame limit. A fragment costs about 150 bytes
 * besides its own until the frame is complete. Without a limit, a client that sends single bytes could make the gateway
 * hold many times the frame limit.
 */
const bytesOfFragment = 16;

/** Other upgrades are ignored, such as the `h2c` of curl and some proxies: the request is answered as usual. */
export const isWebSocketUpgrade = ({ headers }: IncomingMessage): boolean =>
  headers.upgrade?.toLowerCase() === 'websocket';

const ignore = (): void => undefined;

function refuse(socket: Duplex, status: number): void {
  if (socket.destroyed) return;
  const later = status === 429 || status === 503 ? 'Retry-After: 1\r\n' : '';
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${later}Connection: close\r\nContent-Length: 0\r\n\r\n`,
  );
  // Do not wait for a peer that keeps its side open after a refusal.
  setTimeout(() => socket.destroy(), 1000).unref();
}

/** Null if the request cannot be understood. */
function asRequest({ url = '/', headers }: IncomingMessage): Request | null {
  try {
    const copied = new Headers();
    for (const [name, value] of Object.entries(headers)) {
      if (typeof value === 'string') copied.set(name, value);
    }
    return new Request(new URL(url.startsWith('/') ? `http://gateway${url}` : url), { headers: copied });
  } catch {
    return null;
  }
}

/**
 * Upgrades through the Hono app: its middleware decides, and its status refuses. The error listener comes first:
 * without it, a peer that resets the connection while the app decides would end the process.
 */
export function acceptUpgrades(
  server: Server,
  app: Pick<Hono<{ Bindings: UpgradeBindings }>, 'fetch'>,
  bounds: Pick<ConnectionBounds, 'ofUpgrade'>,
  mostFrameBytes: number,
  opened: (socket: DeviceSocket, raw: Socket) => void,
  faulted: (thrown: unknown) => void,
): void {
  const options: ServerOptions<typeof DeviceSocket> & { closeTimeout: number } = {
    noServer: true,
    WebSocket: DeviceSocket,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: mostFrameBytes,
    maxFragments: Math.ceil(mostFrameBytes / bytesOfFragment),
    closeTimeout: 2000,
    // The connection answers pings itself, so that it can count them and close a flood with a code.
    autoPong: false,
    handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
  };
  const sockets = new WebSocketServer(options);

  async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const bound = bounds.ofUpgrade(request);
    if (bound !== null) return refuse(socket, boundStatus[bound]);
    const asking = asRequest(request);
    if (asking === null) return refuse(socket, 400);
    const asked = { accepted: false };
    const response = await app.fetch(asking, { upgrade: asked });
    if (socket.destroyed) return;
    // A route that answers normally has no WebSocket: 404 for the upgrade.
    if (!asked.accepted) return refuse(socket, response.status < 400 ? 404 : response.status);
    sockets.handleUpgrade(request, socket, head, (opening) => {
      socket.off('error', ignore);
      opened(opening, socket as Socket);
    });
  }

  server.on('upgrade', (request, socket, head) => {
    socket.on('error', ignore);
    upgrade(request, socket, head).catch((thrown: unknown) => {
      faulted(thrown);
      socket.destroy();
    });
  });
}
