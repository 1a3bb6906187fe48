type SocketEvent = { type?: unknown; data?: unknown; code?: number; reason?: unknown; message?: unknown };

/** The part of a WebSocket that the client uses: a browser's, Node's or that of `ws`. */
export type WebSocketLike = {
  readonly readyState: number;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'open' | 'message' | 'close' | 'error', listener: (event: SocketEvent) => void): void;
};

export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

export const openState = 1;

/** The WebSocket of this platform. Node has one from version 22 on. */
export function platformWebSocket(): WebSocketConstructor {
  const found = (globalThis as { WebSocket?: unknown }).WebSocket;
  if (found === undefined) throw new Error('there is no WebSocket here: give the option webSocket, for example of ws');
  return found as WebSocketConstructor;
}
