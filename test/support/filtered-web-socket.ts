import WebSocket from 'ws';
import type { WebSocketConstructor, WebSocketLike } from '../../sdk/src/platform/web-socket.ts';
import type { Frame } from '../../sdk/src/wire.ts';

/**
 * A WebSocket that hands the frames of the server on as `pass` gives them, and loses those for which it gives null.
 * What the client sends can be answered in place of the server: then it is not sent.
 */
export const filteredWebSocket = (
  pass: (frame: Frame) => Frame | null,
  answer: (frame: Frame) => Frame | null = () => null,
): WebSocketConstructor =>
  class {
    readonly #socket: WebSocketLike;
    readonly #listeners: ((text: string) => void)[] = [];

    constructor(url: string, protocols: string[]) {
      this.#socket = new WebSocket(url, protocols);
    }

    get readyState(): number {
      return this.#socket.readyState;
    }

    send(text: string): void {
      const answered = answer(JSON.parse(text) as Frame);
      if (answered === null) this.#socket.send(text);
      else for (const listener of this.#listeners) queueMicrotask(() => listener(JSON.stringify(answered)));
    }

    close(code?: number): void {
      this.#socket.close(code);
    }

    addEventListener: WebSocketLike['addEventListener'] = (type, listener) => {
      if (type !== 'message') return this.#socket.addEventListener(type, listener);
      this.#listeners.push((data) => listener({ data }));
      this.#socket.addEventListener(type, ({ data }) => {
        const passed = pass(JSON.parse(String(data)) as Frame);
        if (passed !== null) listener({ data: JSON.stringify(passed) });
      });
    };
  };
