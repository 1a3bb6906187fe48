import { parseArgs } from 'node:util';
import { UsageError, websocketUrl, type Env } from './context.ts';

export const usage = `usage: npm run cli -- rehearse-irc (FILE | --generate N) [options]

Replays a log of an IRC channel: nicks are users, joins and leaves change the members of one group, lines are messages.
Devices connect and disconnect all the time. At the end every device must have exactly the messages of its user's
membership: in order, once, unchanged. History must agree. Exit code 1 when anything differs.

  FILE            a log in the form of public archives of IRC channels: [09:14] <nick> text
  --generate N    generate a log of N lines instead
  --speed N       messages a second (default 50; 0: as fast as possible)
  --kill          kill gateways, fanout and archive processes at random and start them again; not with --url
  --url URL       use a running cluster (needs AUTH_SECRET or its DATA_DIR) instead of starting one
  --seed S        repeat the choices of an earlier run (default: a new one, printed)
  --fanout-max N  members above which a group is large: no inbox entries, live messages without a position, gaps for
                  missed messages; not with --url
  --members N     most members at a time (default 150): above it, the member silent for longest is removed
  --readers N     users whose whole history is read and compared (default 20)`;

function wholeNumber(name: string, text: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < least || number > most) {
    const bound = most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`;
    throw new UsageError(`--${name} must be a whole number from ${least}${bound}`);
  }
  return number;
}

export function readOptions(args: string[]) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      speed: { type: 'string', default: '50' },
      kill: { type: 'boolean', default: false },
      url: { type: 'string' },
      seed: { type: 'string' },
      generate: { type: 'string' },
      'fanout-max': { type: 'string' },
      members: { type: 'string', default: '150' },
      readers: { type: 'string', default: '20' },
    },
  });
  if ((positionals.length === 1) === (values.generate !== undefined) || positionals.length > 1) {
    throw new UsageError(`give either one FILE or --generate\n\n${usage}`);
  }
  if (values.kill && values.url !== undefined)
    throw new UsageError('--kill needs a cluster of its own: leave out --url');
  if (values['fanout-max'] !== undefined && values.url !== undefined)
    throw new UsageError('--fanout-max needs a cluster of its own: leave out --url');
  return {
    file: positionals[0],
    generate: values.generate === undefined ? 0 : wholeNumber('generate', values.generate, 1),
    speed: wholeNumber('speed', values.speed, 0),
    kill: values.kill,
    url: values.url === undefined ? undefined : websocketUrl(values.url),
    seed: values.seed === undefined ? Math.floor(Math.random() * 1e9) : wholeNumber('seed', values.seed, 0),
    fanoutMax:
      values['fanout-max'] === undefined ? undefined : wholeNumber('fanout-max', values['fanout-max'], 1, 100_000),
    members: wholeNumber('members', values.members, 2),
    readers: wholeNumber('readers', values.readers, 0),
  };
}

/** The settings of the rehearsal's own cluster: small inboxes, so that devices that stay away get gaps. */
export const clusterEnv = ({ fanoutMax }: { fanoutMax: number | undefined }, env: Env): Record<string, string> => ({
  INBOX_MAX_ENTRIES: '200',
  ...(fanoutMax === undefined ? {} : { FANOUT_MAX_MEMBERS: String(fanoutMax) }),
  ...(env['PATH'] === undefined ? {} : { PATH: env['PATH'] }),
});
