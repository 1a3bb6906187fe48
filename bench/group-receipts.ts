/**
 * `node bench/group-receipts.ts`: what receipts cost a group of 100 members, 99 of them online, to which one writes.
 * All confirm and read what they get, on a cluster with receipts and on one without, in slices that alternate. Both
 * sides send the same frames.
 *
 *   --seconds N    per side and round (4)
 *   --repeat N     rounds (5); the median of their ratios is reported
 */
import { parseArgs } from 'node:util';
import { openAudience } from './audience.ts';
import { startCluster } from './cluster.ts';
import { createGroup, memberName } from './create-group.ts';
import { machine } from './machine.ts';
import { median } from './median.ts';

const members = 100;
const conversation = 'hundred';
/** Messages that are sent at once; the next ones follow when all members have them. */
const burst = 16;
const [sliceMs, patienceMs] = [500, 10_000];

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '4' }, repeat: { type: 'string', default: '5' } },
});
const [seconds, repeat] = [Number(values.seconds), Number(values.repeat)];

async function openSide(receipts: boolean) {
  const server = await startCluster({ env: { ...process.env, RECEIPTS: receipts ? '1' : '0' } });
  await createGroup(server, conversation, members);
  const listeners = Array.from({ length: members - 1 }, (_, index) => memberName(index + 1));
  const options = { system: 'restante', server, conversation, sender: memberName(0), listeners, reads: true } as const;
  return { server, audience: await openAudience(options) };
}
type Side = Awaited<ReturnType<typeof openSide>>;

/** Messages a second that reached everybody. */
async function writeFor({ audience }: Side, ms: number): Promise<number> {
  const from = performance.now();
  let messages = 0;
  while (performance.now() - from < ms) {
    const { timedOut } = await audience.send(burst, patienceMs);
    if (timedOut) throw new Error(`not everybody had ${burst} messages within ${patienceMs} ms`);
    messages += burst;
  }
  return (messages / (performance.now() - from)) * 1000;
}

async function writeInTurn(sides: readonly Side[]): Promise<number[]> {
  const rates = sides.map((): number[] => []);
  for (let slice = 0; slice < (seconds * 1000) / sliceMs; slice++)
    for (const [i, side] of sides.entries()) rates[i]!.push(await writeFor(side, sliceMs));
  return rates.map(median);
}

const sides: Side[] = [];
try {
  for (const receipts of [true, false]) sides.push(await openSide(receipts));
  for (const side of sides) await writeFor(side, 2000);
  const ratios: number[] = [];
  for (let round = 1; round <= repeat; round++) {
    const [those, others] = (await writeInTurn(sides)) as [number, number];
    ratios.push(those / others);
    console.log(`round ${round}: ${those.toFixed(0)} messages/s with receipts, ${others.toFixed(0)} without`);
  }
  const [{ audience }] = sides as [Side];
  const faults = sides.map((side) => side.audience.faults());
  const told = audience.receipts() / (members * audience.faults().sent);
  const figures = { receipts_to_none: Number(median(ratios).toFixed(3)), told_a_delivery: Number(told.toFixed(4)) };
  console.log(JSON.stringify({ machine: machine(), members, seconds, repeat, ...figures, faults }));
} finally {
  for (const { server, audience } of sides) {
    await audience.close();
    await server.stop();
  }
}
