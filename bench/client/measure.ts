/**
 * `node bench/client/measure.ts`: what the client package costs its process, without a cluster. The ways to take a
 * message are measured in turn, and the reported ratios are medians over the rounds.
 *
 *   --messages N   in each measurement (20,000)
 *   --links N      idle connections (1,000)
 *   --repeat N     rounds (5)
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { killChildren, startChild } from '../children.ts';
import { machine } from '../machine.ts';
import { median } from '../median.ts';
import { cpuOf, takers, type TakerName } from './cpu.ts';

const root = join(import.meta.dirname, '../..');
const names = Object.keys(takers) as TakerName[];

/** Bytes on the heap for an idle connection of each kind, in a process of its own. */
async function idleBytes(links: number): Promise<{ socket: number; link: number }> {
  const server = startChild({
    name: 'greeter',
    command: process.execPath,
    args: ['bench/client/greeter.ts'],
    env: process.env,
    cwd: root,
  });
  try {
    const port = await server.line(
      (line) => (line.startsWith('{') ? (JSON.parse(line) as { port: number }).port : null),
      60_000,
    );
    const measure = async (kind: string): Promise<number> => {
      const args = ['bench/client/idle.ts', kind, `ws://127.0.0.1:${port}`, String(links)];
      const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
      return (JSON.parse(stdout) as { bytes: number }).bytes;
    };
    return { socket: await measure('socket'), link: await measure('link') };
  } finally {
    await server.stop();
  }
}

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '20000' },
    links: { type: 'string', default: '1000' },
    repeat: { type: 'string', default: '5' },
  },
});

process.on('exit', killChildren);
console.log(machine());
const rounds: Record<TakerName, number>[] = [];
for (let round = 1; round <= Number(values.repeat); round++) {
  const us = {} as Record<TakerName, number>;
  for (const name of names) us[name] = await cpuOf(name, Number(values.messages));
  rounds.push(us);
  console.log(`${round}  ${names.map((name) => `${name} ${us[name].toFixed(2)} µs`).join('   ')}`);
}
const idle = await idleBytes(Number(values.links));
const ratio = (name: TakerName, to: TakerName): number =>
  Number(median(rounds.map((us) => us[name] / us[to])).toFixed(2));
console.log(`idle  socket ${Math.round(idle.socket)} bytes   link ${Math.round(idle.link)} bytes`);
console.log(
  JSON.stringify({
    link_to_parse: ratio('link', 'parse'),
    audited_to_link: ratio('audited', 'link'),
    client_to_parse: ratio('client', 'parse'),
    link_bytes_over_socket: Math.round(idle.link - idle.socket),
  }),
);
