import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import WebSocket from 'ws';
import { createLink } from '../../sdk/src/link/link.ts';

/**
 * Opens connections to a server that says nothing, and prints the bytes of each on the heap of this process:
 * `node bench/client/idle.ts socket|link URL COUNT`. `socket` is a socket of `ws` that said hello and nothing more.
 */
class PlainSocket extends WebSocket {
  constructor(url: string, protocols: string[]) {
    super(url, protocols, { perMessageDeflate: false });
  }
}

const [, , kind, url = '', count = '0'] = process.argv;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

async function heapBytes(): Promise<number> {
  for (let turn = 0; turn < 3; turn++) {
    collectGarbage();
    await new Promise(setImmediate);
  }
  return process.memoryUsage().heapUsed;
}

const openSocket = (device: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = new PlainSocket(`${url}/v1/ws`, ['restante.v1']);
    socket.addEventListener('open', () => socket.send(JSON.stringify({ type: 'hello', token: 'token', device })));
    socket.addEventListener('message', () => resolve());
    socket.addEventListener('error', reject);
    socket.addEventListener('close', () => {});
  });

const openLink = (device: string): Promise<void> =>
  new Promise((resolve) =>
    createLink({ url, getToken: () => 'token', device, webSocket: PlainSocket, events: { open: resolve } }).connect(),
  );

async function openAll(from: number, to: number): Promise<void> {
  const open = kind === 'link' ? openLink : openSocket;
  for (let at = from; at < to; at += 50)
    await Promise.all(Array.from({ length: Math.min(50, to - at) }, (_, index) => open(`device-${at + index}`)));
}

// The first connections make the process grow once, whatever they cost themselves.
const warmUp = 100;
await openAll(0, warmUp);
const before = await heapBytes();
await openAll(warmUp, warmUp + Number(count));
console.log(JSON.stringify({ bytes: ((await heapBytes()) - before) / Number(count) }));
process.exit();
