import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { ChaosCluster } from './cluster.ts';

/** Many clients beside the recorded traffic, one user each. They only stay connected. */
export type Crowd = {
  /** From now on no byte is read from their sockets. */
  stopReading(): void;
  /** Every user is sent `count` messages of about `bytes` bytes. */
  sendToEach(count: number, bytes: number): Promise<void>;
  /** Connects all of them anew, all at once, with growing pauses. Resolves the number of those that did not get in. */
  comeBack(url: string): Promise<number>;
  close(): void;
};

const openingAtOnce = 50;
const backWithinMs = 60_000;
const firstPauseMs = 500;
const longestPauseMs = 8000;

async function open(url: string, token: string): Promise<WebSocket> {
  const socket = new WebSocket(`${url}/v1/ws`, 'restante.v1', { handshakeTimeout: 10_000 });
  socket.on('error', () => undefined);
  const closed = once(socket, 'close').then(() => {
    throw new Error('closed before welcome');
  });
  closed.catch(() => undefined);
  await Promise.race([once(socket, 'open'), closed]);
  socket.send(JSON.stringify({ type: 'hello', token, device: 'crowd' }));
  const [first] = (await Promise.race([once(socket, 'message'), closed])) as [Buffer];
  if ((JSON.parse(first.toString()) as { type: string }).type !== 'welcome') {
    socket.terminate();
    throw new Error(`refused: ${first.toString()}`);
  }
  return socket;
}

export async function openCrowd(
  cluster: ChaosCluster,
  name: string,
  count: number,
  url: string = cluster.urls[0]!,
): Promise<Crowd> {
  const users = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const user = `${name}_${index + 1}`;
      return { user, token: await cluster.token(user) };
    }),
  );
  let sockets: WebSocket[] = [];
  let over = false;

  /** Connects all, so many at a time; who is refused comes again. Who is not in by the deadline is left out. */
  async function connectAll(to: string, atOnce: number): Promise<number> {
    const deadline = performance.now() + backWithinMs;
    const waiting = [...users];
    let missing = 0;
    async function connectSome(): Promise<void> {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
          try {
            sockets.push(await open(to, next.token));
            break;
          } catch {
            if (over || performance.now() > deadline) {
              missing += 1;
              break;
            }
            await pause(pauseMs * (0.5 + Math.random() / 2));
          }
        }
      }
    }
    await Promise.all(Array.from({ length: Math.min(atOnce, count) }, connectSome));
    return missing;
  }

  const missing = await connectAll(url, openingAtOnce);
  if (missing > 0) throw new Error(`${missing} of ${count} clients of the crowd did not get in`);
  return {
    stopReading: () => sockets.forEach((socket) => socket.pause()),
    async sendToEach(times, bytes) {
      const token = await cluster.token('crowd', { service: true });
      const waiting = Array.from({ length: times }, (_, index) => users.map(({ user }) => ({ user, index }))).flat();
      const sendSome = async (): Promise<void> => {
        for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
          const { user, index } = next;
          const message = {
            sender: 'crowd_speaker',
            clientId: `${user}-${index}`,
            to: user,
            kind: 'text',
            body: 'x'.repeat(bytes),
          };
          await fetch(`${cluster.direct[0]}/v1/messages`, {
            method: 'POST',
            headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
            body: JSON.stringify(message),
            signal: AbortSignal.timeout(10_000),
          })
            .then((response) => response.arrayBuffer())
            .catch(() => undefined);
        }
      };
      await Promise.all(Array.from({ length: 8 }, sendSome));
    },
    async comeBack(to) {
      for (const socket of sockets) socket.terminate();
      sockets = [];
      return connectAll(to, count);
    },
    close() {
      over = true;
      for (const socket of sockets) socket.terminate();
      sockets = [];
    },
  };
}
