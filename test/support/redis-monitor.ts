import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { Redis } from 'ioredis';

/** A command that Redis carried out. `text` is its name and its arguments with one space between. */
export type SeenCommand = { name: string; args: string[]; text: string; fromScript: boolean };

/**
 * Shows every command that the server of `redis` carries out, of all clients and scripts, from the moment this resolves
 * until `disconnect`. It has a socket of its own: `monitor()` of ioredis fails when the first command comes in one
 * packet with the answer to MONITOR.
 */
export async function monitorCommands(
  redis: Redis,
  onCommand: (command: SeenCommand) => void,
): Promise<{ disconnect(): void }> {
  const { host, port, username, password } = redis.options;
  const socket = connect(port!, host);
  await once(socket, 'connect');
  const call = (...words: string[]): void => {
    const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
    socket.write(`*${words.length}\r\n${parts.join('')}`);
  };
  if (password) call('AUTH', username || 'default', password);
  call('MONITOR');
  let answers = password ? 2 : 1;
  await new Promise<void>((resolve, reject) => {
    socket.once('close', () => reject(new Error('Redis closed the connection of the monitor')));
    createInterface({ input: socket }).on('line', (line) => {
      if (line.startsWith('-')) reject(new Error(line));
      else if (answers > 0) {
        if (--answers === 0) resolve();
      } else onCommand(readLine(line));
    });
  });
  return { disconnect: () => socket.destroy() };
}

/** Reads `+1795963668.671843 [0 127.0.0.1:55302] "hget" "key" "field"`. A script has `lua` as address. */
function readLine(line: string): SeenCommand {
  const [name = '', ...args] = line
    .slice(line.indexOf('"') + 1, -1)
    .split('" "')
    .map((word) => word.replace(/\\(["\\])/g, '$1'));
  return { name, args, text: [name, ...args].join(' '), fromScript: /^\S+ \[\d+ lua\]/.test(line) };
}
