import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A network between the browser and a server on this machine: every byte takes a while, and it can be away. */
export type SlowWay = {
  readonly port: number;
  /** Nothing arrives until `back`. What is on the way is not lost. */
  away(): void;
  /** Bytes arrive again. `lost`: those of the connections that are open do not, and nobody tells either side. */
  back(how?: { lost: boolean }): void;
  close(): Promise<void>;
};

export type SlowWayOptions = {
  /** The server's port. */
  to: number;
  /** How long a byte takes to the server and back (ms). */
  roundTripMs: number;
  /** Only requests whose first line looks like this are slow, and all that follows on a WebSocket. By default all. */
  slow?: RegExp;
};

type Connection = { near: Socket; far: Socket; isSlow: boolean; isLost: boolean; waiting: (() => void)[] };

const host = '127.0.0.1';
const firstLine = /^[A-Z]+ \S+ HTTP\//;

/** Resolves when it listens, on a port of its own. */
export async function startSlowWay({ to, roundTripMs, slow }: SlowWayOptions): Promise<SlowWay> {
  const connections = new Set<Connection>();
  let isAway = false;

  const carry = (connection: Connection, from: Socket, into: Socket): void => {
    const arrive = (act: () => void): void => {
      if (connection.isLost) return;
      if (isAway) connection.waiting.push(act);
      else act();
    };
    // Timers of one length end in the order in which they began.
    const send = (act: () => void): void => {
      if (connection.isSlow) setTimeout(arrive, roundTripMs / 2, act);
      else arrive(act);
    };
    from.on('data', (bytes: Buffer) => {
      if (slow !== undefined && from === connection.near) {
        const text = bytes.toString('latin1');
        // Browsers use a connection again once its answer is there, for another request.
        if (firstLine.test(text)) connection.isSlow = slow.test(text);
      }
      send(() => into.write(bytes));
    });
    from.on('end', () => send(() => into.end()));
    from.on('error', () => into.destroy());
    from.on('close', () => connections.delete(connection));
  };

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connect({ port: to, host, noDelay: true, allowHalfOpen: true });
    const connection = { near, far, isSlow: slow === undefined, isLost: false, waiting: [] };
    connections.add(connection);
    carry(connection, near, far);
    carry(connection, far, near);
  }).listen(0, host);
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    away: () => void (isAway = true),
    back({ lost } = { lost: false }) {
      isAway = false;
      for (const connection of connections) {
        const late = connection.waiting.splice(0);
        if (lost) connection.isLost = true;
        else for (const act of late) act();
      }
    },
    async close() {
      for (const { near, far } of connections) {
        near.destroy();
        far.destroy();
      }
      server.close();
      await once(server, 'close');
    },
  };
}
