/**
 * One sender and the many who listen, all in this process, so that one clock says when everybody has a message. The
 * listeners read and check the same frames whichever server writes them, and confirm whatever has a position.
 */
import { connectUser, openMany, type System } from './connect-user.ts';
import { frameType, messageWriter, readClientId, readDeliver, receivedFrame } from './frames.ts';
import type { Server } from './cluster.ts';
import type { Connection } from './socket.ts';

export type AudienceOptions = {
  system: System;
  server: Server;
  conversation: string;
  sender: string;
  listeners: string[];
};

export type Reach = {
  /** From the write of `send` until the last listener had it; null when somebody never got it. */
  reachedMs: number | null;
  acceptedMs: number | null;
};

type Message = { sentUs: number; acceptedUs: number; reachedUs: number; missing: number; got: Uint8Array };
type Listener = { position: number; received: number; lastSeq: number };

const bodyLength = 200;
/** A listener says `received` this often; they take turns. */
const receivedEveryMs = 100;
const turnMs = 10;

const nowUs = (): number => Math.round(performance.now() * 1000);

export type Audience = Awaited<ReturnType<typeof openAudience>>;

/** Connects all of them. */
export const openAudience = async ({ system, server, conversation, sender, listeners: names }: AudienceOptions) => {
  const messages: Message[] = [];
  const listeners = names.map((): Listener => ({ position: 0, received: 0, lastSeq: 0 }));
  const errors: Record<string, number> = {};
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => {}); // Whoever waits for it is told; before that nobody may be waiting.
  const write = messageWriter({ conversation }, bodyLength);
  let duplicated = 0;
  let reordered = 0;
  /** What is to come for the messages being awaited: one for each listener, and one for the answer. */
  let open = 0;
  let allDone = (): void => {};

  const note = (what: string): void => void (errors[what] = (errors[what] ?? 0) + 1);
  const close = (count: number): void => {
    open -= count;
    if (open === 0) allDone();
  };
  const known = (number: number | undefined): Message => {
    const message = number === undefined ? undefined : messages[number];
    if (message === undefined) throw new Error(`a message came that was never sent: ${number}`);
    return message;
  };

  const deliver = (index: number, text: string): void => {
    const listener = listeners[index]!;
    for (const { number, position, seq } of readDeliver(text)) {
      const message = known(number);
      if (position !== undefined && position <= listener.position) reordered += 1;
      listener.position = Math.max(listener.position, position ?? 0);
      if (message.got[index] === 1) {
        duplicated += 1;
        continue;
      }
      if (seq <= listener.lastSeq) reordered += 1;
      listener.lastSeq = Math.max(listener.lastSeq, seq);
      message.got[index] = 1;
      message.missing -= 1;
      if (message.missing === 0) message.reachedUs = nowUs();
      close(1);
    }
  };

  const listen = (index: number, text: string): void => {
    const type = frameType(text);
    if (type === 'deliver') deliver(index, text);
    else note(`frame ${type}`);
  };

  const hearAnswer = (text: string): void => {
    const type = frameType(text);
    if (type === 'accepted') {
      known(readClientId(text)).acceptedUs = nowUs();
      close(1);
    } else note(type === 'error' ? (JSON.parse(text) as { code: string }).code : `frame ${type} to the sender`);
  };

  const connect = (user: string, onText: (text: string) => void): Promise<Connection> =>
    connectUser({
      system, port: server.port, authSecret: server.authSecret, user,
      onTexts: (texts) => {
        for (const text of texts) onText(text);
      },
      onLost: failure.reject,
    });
  const connections = await openMany(0, names.length, (index) => connect(names[index]!, (text) => listen(index, text)));
  const senderConnection = await connect(sender, hearAnswer);

  let turn = 0;
  const turns = receivedEveryMs / turnMs;
  const sweep = setInterval(() => {
    turn = (turn + 1) % turns;
    for (let index = turn; index < listeners.length; index += turns) {
      const listener = listeners[index]!;
      if (listener.position === listener.received) continue;
      connections[index]!.write(receivedFrame(listener.position));
      listener.received = listener.position;
    }
  }, turnMs);

  return {
    /** Rejects when a connection is lost. */
    failed: failure.promise,

    /** Sends so many messages at once; resolves when all have come to everybody, or `patienceMs` is over. */
    send: async (count: number, patienceMs: number): Promise<Reach[]> => {
      const done = Promise.withResolvers<void>();
      allDone = done.resolve;
      // The bare server answers nothing.
      open = count * (names.length + (system === 'echo' ? 0 : 1));
      let frames = '';
      const sent = Array.from({ length: count }, (): Message => {
        const sentUs = nowUs();
        const message: Message = { sentUs, acceptedUs: 0, reachedUs: 0, missing: names.length, got: new Uint8Array(names.length) };
        frames += write(messages.push(message) - 1, sentUs);
        return message;
      });
      senderConnection.write(frames);
      const impatience = setTimeout(done.resolve, patienceMs);
      await Promise.race([done.promise, failure.promise]).finally(() => clearTimeout(impatience));
      const since = (us: number, { sentUs }: Message): number | null => (us === 0 ? null : (us - sentUs) / 1000);
      return sent.map((message) => ({
        reachedMs: since(message.reachedUs, message), acceptedMs: since(message.acceptedUs, message),
      }));
    },

    /** Over everything that was sent; `lost` counts a message once for every listener who has not got it. */
    faults: () => ({
      sent: messages.length,
      lost: messages.reduce((sum, { missing }) => sum + missing, 0),
      duplicated, reordered, errors,
    }),

    close: async (): Promise<void> => {
      clearInterval(sweep);
      await Promise.all([...connections, senderConnection].map((connection) => connection.close()));
    },
  };
};
