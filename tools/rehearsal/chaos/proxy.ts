import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { createPipe, type Pipe } from './proxy-pipe.ts';

/** `request` goes from who connected to the server behind the proxy, `reply` the other way. */
export type Direction = 'request' | 'reply';

/**
 * A TCP proxy between one process and one server. It passes bytes on until it is told to do harm, on connections that
 * are open and on those to come. Everything ends with `pass`.
 */
export type Proxy = {
  readonly port: number;
  /** Open connections. */
  readonly connections: number;
  /** Where new connections lead; open ones stay where they are. */
  lead(port: number): void;
  /** Ends every harm below that lasts. What a black hole has swallowed stays lost, so its connections are cut. */
  pass(): void;
  /** Resets the open connections. Later ones are served. */
  cut(): void;
  /** Resets every connection, also those to come, until `pass`. */
  refuse(): void;
  /**
   * Passes the next request that holds `pattern` on and resets its connection before any reply gets through: the server
   * has done it and nobody knows. `times` requests, by default one.
   */
  cutAfterRequest(pattern: string, times?: number): void;
  /** Swallows the next `count` pieces of replies, at most one on each connection, which is reset 50 ms later. */
  dropReply(count: number): void;
  /** Bytes of this direction (by default both) vanish while connections stay open. */
  blackhole(direction?: Direction): void;
  /** Every piece arrives `ms` later, and up to `jitterMs` more; the order stays. */
  delay(ms: number, jitterMs?: number): void;
  /** At most so many bytes a second in each direction of each connection. */
  throttle(bytesPerSecond: number, direction?: Direction): void;
  /** Passes at most so many bytes at a time, so that a frame comes in pieces. */
  slice(bytes: number): void;
  /** Ends the requests' half of every open connection, as a peer that has shut down its writing. */
  halfClose(): void;
  /** New connections are taken by the kernel and nobody serves them, until `pass`. */
  freezeAccept(): void;
  close(): Promise<void>;
};

type Pair = { near: Socket; far: Socket; request: Pipe; reply: Pipe };

const host = '127.0.0.1';
/** How long after a swallowed reply its connection is reset (ms). */
const resetAfterMs = 50;

/** `random` gives numbers from 0 to below 1 for the jitter. Resolves when the proxy listens on a port of its own. */
export async function startProxy(target: number, random: () => number = Math.random): Promise<Proxy> {
  let leadsTo = target;
  let refusing = false;
  let frozen = false;
  let wanted: { pattern: Buffer; left: number } | null = null;
  let repliesToDrop = 0;
  const waiting = new Set<Socket>();
  const pairs = new Set<Pair>();
  const rules = {
    request: { swallow: false, delayMs: 0, jitterMs: 0, bytesPerSecond: Infinity, sliceBytes: Infinity },
    reply: { swallow: false, delayMs: 0, jitterMs: 0, bytesPerSecond: Infinity, sliceBytes: Infinity },
  };

  function reset(pair: Pair): void {
    pairs.delete(pair);
    pair.request.end();
    pair.reply.end();
    pair.near.resetAndDestroy();
    // A reset could overtake what the server has not read yet; an orderly end cannot.
    pair.far.destroySoon();
  }

  function serve(near: Socket): void {
    const far = connect({ port: leadsTo, host, noDelay: true, allowHalfOpen: true });
    near.setNoDelay(true);
    let sealed = false;
    let tail = Buffer.alloc(0);
    const pair: Pair = {
      near,
      far,
      request: createPipe(near, far, rules.request, random, (bytes) => {
        if (wanted === null) return true;
        const seen = Buffer.concat([tail, bytes]);
        tail = seen.subarray(-wanted.pattern.length);
        if (!seen.includes(wanted.pattern)) return true;
        tail = Buffer.alloc(0);
        if (--wanted.left <= 0) wanted = null;
        sealed = true;
        setTimeout(() => reset(pair), resetAfterMs);
        return true;
      }),
      reply: createPipe(far, near, rules.reply, random, () => {
        if (sealed) return false;
        if (repliesToDrop <= 0) return true;
        repliesToDrop -= 1;
        sealed = true;
        setTimeout(() => reset(pair), resetAfterMs);
        return false;
      }),
    };
    pairs.add(pair);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        pairs.delete(pair);
        pair.request.end();
        pair.reply.end();
        // What is still on its way to the other side gets there before its end.
        if (!other.destroyed) other.destroySoon();
      });
    }
  }

  function take(socket: Socket): void {
    socket.on('error', () => undefined);
    if (refusing) return void socket.resetAndDestroy();
    if (!frozen) return serve(socket);
    waiting.add(socket);
    socket.once('close', () => waiting.delete(socket));
  }

  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, take).listen(0, host, 4096);
  await once(server, 'listening');
  const both = (direction?: Direction) => (direction === undefined ? [rules.request, rules.reply] : [rules[direction]]);

  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return pairs.size;
    },
    lead: (port) => void (leadsTo = port),
    pass() {
      for (const rule of both())
        Object.assign(rule, {
          swallow: false,
          delayMs: 0,
          jitterMs: 0,
          bytesPerSecond: Infinity,
          sliceBytes: Infinity,
        });
      [refusing, frozen, wanted, repliesToDrop] = [false, false, null, 0];
      for (const pair of pairs) {
        if (pair.request.swallowed || pair.reply.swallowed) reset(pair);
        else for (const pipe of [pair.request, pair.reply]) pipe.go();
      }
      const late = [...waiting];
      waiting.clear();
      for (const socket of late) serve(socket);
    },
    cut: () => [...pairs].forEach(reset),
    refuse() {
      refusing = true;
      [...pairs].forEach(reset);
    },
    cutAfterRequest: (pattern, times = 1) => void (wanted = { pattern: Buffer.from(pattern), left: times }),
    dropReply: (count) => void (repliesToDrop = count),
    blackhole: (direction) => both(direction).forEach((rule) => (rule.swallow = true)),
    delay: (ms, jitterMs = 0) => both().forEach((rule) => Object.assign(rule, { delayMs: ms, jitterMs })),
    throttle: (bytesPerSecond, direction) => both(direction).forEach((rule) => (rule.bytesPerSecond = bytesPerSecond)),
    slice: (bytes) => both().forEach((rule) => (rule.sliceBytes = bytes)),
    halfClose: () => pairs.forEach(({ far }) => far.end()),
    freezeAccept: () => void (frozen = true),
    async close() {
      for (const socket of waiting) socket.destroy();
      [...pairs].forEach(reset);
      server.close();
      await once(server, 'close');
    },
  };
}
