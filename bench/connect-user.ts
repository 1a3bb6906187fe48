/** One user's connection to either system: a WebSocket, and for Restante a welcomed `hello`. */
import { signToken } from '../tools/harness/sign-token.ts';
import { helloFrame } from './frames.ts';
import { openSocket, type Connection } from './socket.ts';

export type System = 'echo' | 'restante';

export type UserOptions = {
  system: System;
  port: number;
  /** Signs the user's token; the echo server needs none. */
  authSecret: string;
  user: string;
  /** The texts of one read, in order, from the first after `welcome`. */
  onTexts: (texts: string[]) => void;
  onLost: (error: Error) => void;
};

/** Rejects if the connection is refused, or if `hello` gets any answer but `welcome`. */
export async function connectUser(options: UserOptions): Promise<Connection> {
  const { system, port, authSecret, user, onTexts, onLost } = options;
  const welcome = Promise.withResolvers<void>();
  let welcomed = system === 'echo';
  const connection = await openSocket({
    port,
    path: '/v1/ws',
    onTexts: (texts) => {
      if (welcomed) return onTexts(texts);
      const [first = '', ...others] = texts;
      if ((JSON.parse(first) as { type: string }).type !== 'welcome') {
        return welcome.reject(new Error(`hello was answered with ${first}`));
      }
      welcomed = true;
      welcome.resolve();
      if (others.length > 0) onTexts(others);
    },
    onLost: (reason) => {
      const error = new Error(`${user} lost its connection: ${reason}`);
      if (welcomed) onLost(error);
      else welcome.reject(error);
    },
  });
  if (system === 'restante') {
    const token = signToken(authSecret, { user, ttlSeconds: tokenSeconds });
    connection.write(helloFrame(token, `${user}-device`));
    await welcome.promise;
  }
  return connection;
}

/** Longer than any run takes. */
const tokenSeconds = 3600;

/** Connections opened at the same time: enough to be quick, few enough for every server's backlog. */
const openedAtOnce = 50;

/** Calls `open` for every index in [from, to), some at a time; resolves with all results in order. */
export async function openMany<T>(from: number, to: number, open: (index: number) => Promise<T>): Promise<T[]> {
  const opened: T[] = [];
  for (let next = from; next < to; next += openedAtOnce) {
    const count = Math.min(openedAtOnce, to - next);
    opened.push(...(await Promise.all(Array.from({ length: count }, (_, index) => open(next + index)))));
  }
  return opened;
}
