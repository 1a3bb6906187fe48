import type { WebSocketConstructor } from '../../sdk/src/platform/web-socket.ts';
import { welcomeOf } from './frames.ts';

type Listener = (event: { data?: unknown; code?: number; reason?: unknown }) => void;

/** A socket without a network: `hello` is welcomed, and the benchmark gives it texts. */
export type Feed = { readonly webSocket: WebSocketConstructor; give(text: string): void };

export function createFeed(): Feed {
  const takers: Listener[] = [];

  class FedSocket {
    readyState = 1;

    constructor(_url: string) {}

    addEventListener(type: string, listener: Listener): void {
      if (type === 'open') queueMicrotask(() => listener({}));
      else if (type === 'message') takers.push(listener);
    }

    send(text: string): void {
      if (text.startsWith('{"type":"hello"')) queueMicrotask(() => this.#take(welcomeOf(text)));
    }

    close(): void {
      this.readyState = 3;
    }

    #take(data: string): void {
      for (const taker of takers) taker({ data });
    }
  }

  return {
    webSocket: FedSocket,
    give(data) {
      for (const taker of takers) taker({ data });
    },
  };
}
