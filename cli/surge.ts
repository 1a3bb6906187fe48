import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openHistory } from '../shared/history/open.ts';
import { surgeModes } from '../shared/model/surge.ts';
import { startCluster } from '../tools/harness/local-cluster.ts';
import { generateLog } from '../tools/rehearsal/irc/generate.ts';
import { parseLog } from '../tools/rehearsal/irc/parse.ts';
import { createRandom } from '../tools/rehearsal/irc/random.ts';
import { rehearse, type Rehearsal } from '../tools/rehearsal/surge/rehearsal.ts';
import type { Command } from './command.ts';
import { UsageError } from './context.ts';
import { openOperatorAccess } from './operator-access.ts';

const usage = `usage: npm run cli -- surge [auto | calm | surge]
       npm run cli -- surge rehearse [FILE] [--factor N] [--rate N] [--calm S] [--spike S] [--history URL] [--json]

Shows the surge state of every partition, or holds all of them in one state; auto decides by measurement.

rehearse starts a cluster of its own and sends the lines of a chat log (or generated ones), first at the usual rate and
then at a multiple of it. It reports the cost for the store, and whether anything was lost.

  --factor N  the spike as a multiple of the usual rate (default 30)
  --rate N    the usual rate, messages a second (default 40)
  --calm S    seconds at the usual rate (default 20)
  --spike S   seconds of the spike (default 30)
  --history   an empty database of MongoDB, which keeps the data afterwards (default: SQLite)
  --json      the report as JSON, on the last line`;

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 100_000)
    throw new UsageError(`--${name} must be a whole number from 1`);
  return number;
}

async function readLines(path: string | undefined): Promise<string[]> {
  const text =
    path === undefined
      ? generateLog(2000, createRandom(1))
      : await readFile(path, 'utf8').catch((error: Error) =>
          Promise.reject(new UsageError(`cannot read ${path}: ${error.message}`)),
        );
  const lines = parseLog(text).events.flatMap((event) => ('text' in event && event.text !== '' ? [event.text] : []));
  if (lines.length === 0) throw new UsageError('nobody says anything in this log');
  return lines;
}

/** A rehearsal starts with an empty Redis: with the history of another deployment, that would count as a loss. */
async function mustBeEmpty(url: string): Promise<void> {
  const history = await openHistory(url, { inThread: false });
  try {
    if ((await history.deployment()) !== null)
      throw new UsageError('--history must name an empty database: this one belongs to a deployment');
  } finally {
    await history.close();
  }
}

const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;

function reportLines({
  phases,
  packingCallsPerMessage,
  bytesPerMessage: { plain, packed },
  accepted,
  lost,
}: Rehearsal): string[] {
  return [
    ...phases.map(
      ({ name, messages, perS, storeCallsPerMessage, acceptP50Ms, acceptP99Ms }) =>
        `${name.padEnd(6)} ${messages} messages, ${perS} a second; ` +
        `accepted within ${acceptP50Ms.toFixed(1)} ms (p50), ${acceptP99Ms.toFixed(1)} ms (p99); ` +
        `${storeCallsPerMessage.toFixed(4)} store calls a message`,
    ),
    packingCallsPerMessage === null
      ? 'no surge: the spike was too small or too short'
      : `surge  ${packingCallsPerMessage.toFixed(4)} store calls a message`,
    packed === 0
      ? 'nothing was packed'
      : `bytes  ${plain.toFixed(0)} a message in calm, ${packed.toFixed(0)} packed: ${percent(packed / plain)}`,
    lost === 0
      ? `all ${accepted} accepted messages are in history`
      : `${lost} of ${accepted} accepted messages are LOST`,
  ];
}

export const surge: Command = {
  summary: 'show or hold the surge state of partitions, or rehearse a spike',
  usage,
  async run(args, context) {
    const { env, stdout, signal, doing } = context;
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        factor: { type: 'string', default: '30' },
        rate: { type: 'string', default: '40' },
        calm: { type: 'string', default: '20' },
        spike: { type: 'string', default: '30' },
        history: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    });
    const [word, file] = positionals;
    if (word === 'rehearse') {
      const options = {
        perS: wholeNumber('rate', values.rate),
        factor: wholeNumber('factor', values.factor),
        calmS: wholeNumber('calm', values.calm),
        spikeS: wholeNumber('spike', values.spike),
        signal,
        say: (text: string) => void stdout.write(`${text}\n`),
        doing,
      };
      const lines = await readLines(file);
      const path = env['PATH'];
      if (values.history !== undefined) await mustBeEmpty(values.history);
      doing('starting a cluster');
      const cluster = await startCluster({
        web: 1,
        fanout: 1,
        archive: 1,
        jobs: 1,
        env: {
          SEND_RATE_PER_USER: '0',
          ...(path === undefined ? {} : { PATH: path }),
          ...(values.history === undefined ? {} : { HISTORY_URL: values.history }),
        },
      });
      const history = await openHistory(values.history ?? `sqlite:${join(cluster.dir, 'history.db')}`, {
        inThread: false,
      });
      try {
        const report = await rehearse(cluster, history, lines, options);
        doing(null);
        stdout.write(`${reportLines(report).join('\n')}\n`);
        if (values.json) stdout.write(`${JSON.stringify(report)}\n`);
        return report.lost === 0 ? 0 : 1;
      } finally {
        await history.close();
        await cluster.stop();
      }
    }
    const mode = surgeModes.find((one) => one === word);
    if (word !== undefined && mode === undefined) throw new UsageError(usage);
    const access = await openOperatorAccess(context);
    try {
      if (mode !== undefined) await access.surges.setMode(mode);
      stdout.write(`mode ${await access.surges.mode()}\n`);
      for (const { partition, state, rate, usualRate, lag, storeMs, reason } of await access.surges.all()) {
        const because = reason === '' ? '' : `  ${reason}`;
        stdout.write(
          `partition ${partition}  ${state.padEnd(8)}  ${rate} messages a second (usual ${Math.round(usualRate)})  ` +
            `lag ${lag}  store ${storeMs} ms${because}\n`,
        );
      }
      return 0;
    } finally {
      await access.close();
    }
  },
};
