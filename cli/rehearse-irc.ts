import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Command, Context } from './command.ts';
import { check } from './irc/check.ts';
import type { Discrepancy, Evidence } from './irc/check.ts';
import { gather } from './irc/gather.ts';
import { generateLog } from './irc/generate.ts';
import { planKills } from './irc/kills.ts';
import type { Kills } from './irc/kills.ts';
import { parseLog } from './irc/parse.ts';
import { planSteps } from './irc/plan.ts';
import { createProgress } from './irc/progress.ts';
import { createRandom } from './irc/random.ts';
import { replay } from './irc/replay.ts';
import type { Station } from './irc/station.ts';
import { startCluster } from './local-cluster.ts';
import type { Cluster } from './local-cluster.ts';
import { signToken } from './sign-token.ts';
import { Complaint, findSecret, httpUrl, websocketUrl } from './surroundings.ts';
import type { Env } from './surroundings.ts';

const usage = `usage: npm run cli -- rehearse-irc (FILE | --generate N) [options]

Replays a log of an IRC channel: nicks are users, joins and leaves change the members of one group, lines are messages.
Devices come and go all the time. At the end every device must have exactly the messages of its user's membership, in
order, once, as they were sent, and the history must agree. Exit code 1 when anything differs.

  FILE            a log as public archives of IRC channels keep it: [09:14] <nick> text
  --generate N    make up a log of N lines instead
  --speed N       messages a second (default 50; 0: as fast as it goes)
  --kill          kill gateways, fanout and archive processes at random and bring them back; only with its own cluster
  --url URL       use a running cluster (needs AUTH_SECRET or its DATA_DIR) in place of one of its own
  --seed S        repeat the choices of an earlier run (default: a new one, printed)
  --members N     most members at a time (default 150): above it whoever was silent for longest is removed
  --readers N     users whose whole history is read and compared (default 20)`;

/** Small inboxes, so that devices that stay away run into gaps. */
const clusterEnv = { INBOX_MAX_ENTRIES: '200' };
const clusterShape = { web: 2, fanout: 1, archive: 1, jobs: 1 };
const killEvery = 150;
const mostShown = 20;

const wholeNumber = (name: string, text: string, least: number): number => {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < least) throw new Complaint(`--${name} must be a whole number from ${least}`);
  return number;
};

const readOptions = (args: string[]) => {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      speed: { type: 'string', default: '50' },
      kill: { type: 'boolean', default: false },
      url: { type: 'string' },
      seed: { type: 'string' },
      generate: { type: 'string' },
      members: { type: 'string', default: '150' },
      readers: { type: 'string', default: '20' },
    },
  });
  if ((positionals.length === 1) === (values.generate !== undefined) || positionals.length > 1) {
    throw new Complaint(`give either one FILE or --generate\n\n${usage}`);
  }
  if (values.kill && values.url !== undefined) throw new Complaint('--kill needs a cluster of its own: leave out --url');
  return {
    file: positionals[0],
    generate: values.generate === undefined ? 0 : wholeNumber('generate', values.generate, 1),
    speed: wholeNumber('speed', values.speed, 0),
    kill: values.kill,
    url: values.url === undefined ? undefined : websocketUrl(values.url),
    seed: values.seed === undefined ? Math.floor(Math.random() * 1e9) : wholeNumber('seed', values.seed, 0),
    members: wholeNumber('members', values.members, 2),
    readers: wholeNumber('readers', values.readers, 0),
  };
};

const readLog = async (path: string): Promise<string> => {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new Complaint(`cannot read ${path}: ${(error as Error).message}`);
  }
};

/** Where the rehearsal plays: gateways and the secret that signs its users' tokens. */
const findStage = async (cluster: Cluster | null, url: string | undefined, env: Env) =>
  cluster !== null
    ? { urls: cluster.urls, secret: cluster.secret }
    : { urls: [url!], secret: await findSecret(env) };

const table = (rows: [string, string | number][]): string => {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n');
};

const summary = (evidence: Evidence, stations: Station[], kills: Kills | null, seconds: number): string => {
  const records = evidence.devices;
  const sum = (count: (record: (typeof records)[number]) => number): number => records.reduce((total, one) => total + count(one), 0);
  const arrivals = sum((record) => record.arrivals.length);
  const first = sum((record) => new Set(record.arrivals.map(({ seq }) => seq)).size);
  return table([
    ['users', new Set(records.map(({ user }) => user)).size],
    ['devices', `${records.length} (${stations.filter(({ mode }) => mode === 'pull').length} pull)`],
    ['messages accepted', evidence.sent.length],
    ['changes of membership', [...evidence.changes.values()].reduce((total, list) => total + list.length, 0)],
    ['last seq', evidence.lastSeq],
    ['messages delivered', `${first} (${arrivals - first} came again)`],
    ['gaps announced', sum((record) => record.gaps.length)],
    ['filled from history', sum((record) => record.filled.size)],
    ['history walks', evidence.walks.length],
    ['processes killed', kills === null ? 'none' : kills.count()],
    ['time to replay', `${seconds.toFixed(1)} s (${Math.round(evidence.sent.length / seconds)} messages a second)`],
  ]);
};

const verdict = (found: Discrepancy[]): string => {
  if (found.length === 0) return 'No discrepancy: nothing lost, duplicated, reordered, leaked or changed.';
  const kinds = Map.groupBy(found, ({ kind }) => kind);
  const counts = [...kinds].map(([kind, list]) => `${list.length} ${kind}`).join(', ');
  const shown = found.slice(0, mostShown).map(({ kind, who, seq, detail }) => `  ${kind}: ${who}${seq === undefined ? '' : ` seq ${seq}`}: ${detail}`);
  return [`${found.length} discrepancies: ${counts}`, ...shown].join('\n');
};

const run = async (args: string[], context: Context): Promise<number> => {
  const { signal, stdout } = context;
  const options = readOptions(args);
  const random = createRandom(options.seed);
  const text = options.file === undefined ? generateLog(options.generate, random) : await readLog(options.file);
  const log = parseLog(text);
  const steps = planSteps(log.events, options.members);
  const lines = steps.filter(({ type }) => type === 'say').length;
  if (lines === 0) throw new Complaint('nobody says anything in this log');
  const progress = createProgress(stdout);
  progress.say(`${lines} messages, ${steps.length - lines} changes of membership, ${log.ignored} lines ignored, seed ${options.seed}`);

  const path = context.env['PATH'];
  const dir = options.url === undefined ? await mkdtemp(join(tmpdir(), 'restante-rehearsal-')) : null;
  const cluster = dir !== null
    ? await startCluster({ ...clusterShape, dir, env: { ...clusterEnv, ...(path === undefined ? {} : { PATH: path }) } })
    : null;
  let well = false;
  const stations: Station[] = [];
  try {
    const { urls, secret } = await findStage(cluster, options.url, context.env);
    const anyUrl = (): string => urls[Math.floor(Math.random() * urls.length)]!;
    const kills = cluster !== null && options.kill ? planKills(cluster, random, steps.length, killEvery) : null;
    const begin = performance.now();
    const played = await replay(steps, {
      url: anyUrl,
      http: () => httpUrl(anyUrl()),
      token: (user) => signToken(secret, { user, ttlSeconds: 3600 }),
      random,
      speed: options.speed,
      signal,
      stations,
      step(done, said) {
        kills?.at(done);
        const online = stations.filter(({ device }) => device.state === 'connected').length;
        progress.show(done, steps.length, `${said} said, ${online} of ${stations.length} devices online${kills === null ? '' : `, ${kills.count()} kills`}`);
      },
    });
    const seconds = (performance.now() - begin) / 1000;
    await kills?.settled();
    const evidence = await gather(played, stations, options.readers, random, progress, signal);
    const found = check(evidence);
    for (const line of kills?.log ?? []) progress.say(`  ${line}`);
    progress.say(summary(evidence, stations, kills, seconds));
    progress.say(verdict(found));
    well = found.length === 0;
    return well ? 0 : 1;
  } finally {
    progress.end();
    await Promise.all(stations.map(({ device }) => device.close()));
    await cluster?.stop();
    if (dir !== null && (well || signal.aborted)) await rm(dir, { recursive: true, force: true });
    else if (dir !== null) progress.say(`The logs and data of the cluster are in ${dir}`);
  }
};

export const rehearseIrc: Command = { summary: 'replay a chat log and check that nothing is lost', usage, run };
