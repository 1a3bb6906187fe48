import WebSocket from 'ws';
import type { ClientId, Recording } from '../recording.ts';

/**
 * A WebSocket that records every frame it writes and reads, and takes part in nothing else: no confirmations, no
 * reconnecting. The device above it decides.
 */
export type Frame = Record<string, unknown> & { type: string; id?: string; re?: string };

export type RecordedSocket = {
  readonly isOpen: boolean;
  send(frame: object): void;
  /** Sends with an id and resolves the answer; null if the socket ends, or the time is over, before it comes. */
  ask(frame: object, withinMs: number): Promise<Frame | null>;
  /** Reads no faster than this (bytes a second); null: as fast as it comes. */
  throttle(bytesPerSecond: number | null): void;
  /** Ends with the closing handshake. */
  close(): void;
  /** Ends at once, as a lost network does. */
  cut(): void;
};

export type SocketParts = {
  url: string;
  client: ClientId;
  recording: Pick<Recording, 'note'>;
  onOpen(): void;
  /** Every frame, answers included. */
  onFrame(frame: Frame): void;
  /** Called once. `opened`: whether the handshake had succeeded. */
  onEnd(opened: boolean, code: number): void;
};

const handshakeMs = 5000;
const closeWithinMs = 2000;

export function openSocket({ url, client, recording, onOpen, onFrame, onEnd }: SocketParts): RecordedSocket {
  const socket = new WebSocket(`${url}/v1/ws`, ['restante.v1'], {
    perMessageDeflate: false,
    handshakeTimeout: handshakeMs,
  });
  const waiting = new Map<string, (answer: Frame | null) => void>();
  let asked = 0;
  let opened = false;
  let byClient = false;
  let rate: number | null = null;
  let resume: NodeJS.Timeout | null = null;
  let ending: NodeJS.Timeout | null = null;

  const send = (frame: object): void => {
    if (socket.readyState !== WebSocket.OPEN) return;
    const text = JSON.stringify(frame);
    recording.note({ type: 'sent', client, text });
    socket.send(text);
  };

  /** Leaves further bytes in the kernel's buffers until this frame's share of time is over. */
  const rest = (bytes: number): void => {
    if (rate === null || socket.readyState !== WebSocket.OPEN) return;
    socket.pause();
    resume ??= setTimeout(
      () => {
        resume = null;
        socket.resume();
      },
      (bytes / rate) * 1000,
    );
  };

  socket.on('open', () => {
    opened = true;
    recording.note({ type: 'opened', client, url });
    onOpen();
  });
  socket.on('message', (data) => {
    const text = String(data);
    recording.note({ type: 'received', client, text });
    rest(text.length);
    const frame = JSON.parse(text) as Frame;
    const answer = frame.re === undefined ? undefined : waiting.get(frame.re);
    if (answer !== undefined) {
      waiting.delete(frame.re!);
      answer(frame);
    }
    onFrame(frame);
  });
  socket.on('error', () => undefined);
  socket.on('close', (code, reason) => {
    if (resume !== null) clearTimeout(resume);
    if (ending !== null) clearTimeout(ending);
    if (opened)
      recording.note({ type: 'closed', client, code, reason: String(reason), by: byClient ? 'client' : 'server' });
    for (const answer of waiting.values()) answer(null);
    waiting.clear();
    onEnd(opened, code);
  });

  return {
    get isOpen() {
      return socket.readyState === WebSocket.OPEN;
    },
    send,
    ask: (frame, withinMs) =>
      new Promise((resolve) => {
        if (socket.readyState !== WebSocket.OPEN) return resolve(null);
        const id = `q${++asked}`;
        const late = setTimeout(() => {
          waiting.delete(id);
          resolve(null);
        }, withinMs);
        waiting.set(id, (answer) => {
          clearTimeout(late);
          resolve(answer);
        });
        send({ ...frame, id });
      }),
    throttle(bytesPerSecond) {
      rate = bytesPerSecond;
      if (rate === null && resume !== null) {
        clearTimeout(resume);
        resume = null;
        socket.resume();
      }
    },
    close() {
      byClient = true;
      socket.resume();
      ending ??= setTimeout(() => socket.terminate(), closeWithinMs);
      socket.close(1000);
    },
    cut() {
      byClient = true;
      socket.terminate();
    },
  };
}
