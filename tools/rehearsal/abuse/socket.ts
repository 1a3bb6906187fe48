import { setImmediate as nextTurn } from 'node:timers/promises';
import WebSocket from 'ws';
import { type Frame, parseFrame } from '../../../sdk/src/wire.ts';

/** A bare socket without retries or confirmations. The client library would not let an attack through. */
export type RawDevice = {
  readonly isOpen: boolean;
  /** The code with which it was closed, once it is closed. */
  readonly closed: Promise<number>;
  /** Called for every frame, answers to `ask` included. */
  onFrame(hear: (frame: Frame) => void): void;
  send(frame: object | string): void;
  /** Sends with an id and resolves the answer; null if the socket ends first. */
  ask(frame: object): Promise<Frame | null>;
  /** Resolves when fewer than `bytes` wait to be written. */
  drained(bytes: number): Promise<void>;
  end(): void;
};

export async function openRaw(url: string, hello: object | null): Promise<RawDevice | null> {
  const socket = new WebSocket(`${url}/v1/ws`, ['restante.v1'], { perMessageDeflate: false, handshakeTimeout: 10_000 });
  const waiting = new Map<string, (frame: Frame | null) => void>();
  const hearers: ((frame: Frame) => void)[] = [];
  let lastId = 0;
  const closed = new Promise<number>((resolve) => {
    socket.on('error', () => undefined);
    socket.on('close', (code) => {
      for (const answer of waiting.values()) answer(null);
      waiting.clear();
      resolve(code);
    });
  });
  socket.on('message', (data) => {
    const frame = parseFrame(String(data));
    if (frame === null) return;
    const answer = frame.re === undefined ? undefined : waiting.get(frame.re);
    if (answer !== undefined) {
      waiting.delete(frame.re!);
      answer(frame);
    }
    for (const hear of hearers) hear(frame);
  });
  const opened = await Promise.race([
    new Promise<boolean>((resolve) => socket.on('open', () => resolve(true))),
    closed.then(() => false),
  ]);
  if (!opened) return null;

  const device: RawDevice = {
    get isOpen() {
      return socket.readyState === WebSocket.OPEN;
    },
    closed,
    onFrame: (hear) => void hearers.push(hear),
    send(frame) {
      if (socket.readyState === WebSocket.OPEN) socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
    },
    ask: (frame) =>
      new Promise((resolve) => {
        if (socket.readyState !== WebSocket.OPEN) return resolve(null);
        const id = `q${++lastId}`;
        waiting.set(id, resolve);
        socket.send(JSON.stringify({ ...frame, id }));
      }),
    async drained(bytes) {
      // Give up at least one turn of the event loop: otherwise nothing would ever be written or read.
      do await nextTurn();
      while (socket.readyState === WebSocket.OPEN && socket.bufferedAmount > bytes);
    },
    end: () => socket.terminate(),
  };
  if (hello === null) return device;
  return (await device.ask(hello))?.type === 'welcome' ? device : null;
}
