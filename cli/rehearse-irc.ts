import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCluster, type Cluster } from '../tools/harness/local-cluster.ts';
import { signToken } from '../tools/harness/sign-token.ts';
import type { DeviceRecorder } from '../tools/rehearsal/device-recorder.ts';
import { check, type Discrepancy } from '../tools/rehearsal/irc/check.ts';
import { gather } from '../tools/rehearsal/irc/gather.ts';
import { generateLog } from '../tools/rehearsal/irc/generate.ts';
import { planKills } from '../tools/rehearsal/irc/kills.ts';
import { parseLog } from '../tools/rehearsal/irc/parse.ts';
import { planSteps } from '../tools/rehearsal/irc/plan.ts';
import { createRandom } from '../tools/rehearsal/irc/random.ts';
import { replay } from '../tools/rehearsal/irc/replay.ts';
import { summary } from '../tools/rehearsal/irc/summary.ts';
import type { Command, Context } from './command.ts';
import { UsageError, findSecret, httpUrl, tokenRules, type Env } from './context.ts';
import { clusterEnv, readOptions, usage } from './rehearse-irc-options.ts';

const clusterShape = { web: 2, fanout: 1, archive: 1, jobs: 1 };
const killEvery = 150;
const mostShown = 20;

async function readLog(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${(error as Error).message}`);
  }
}

/** The gateways to use, and the secret that signs the users' tokens. */
const findStage = async (cluster: Cluster | null, url: string | undefined, env: Env) =>
  cluster !== null ? { urls: cluster.urls, secret: cluster.secret } : { urls: [url!], secret: await findSecret(env) };

function verdict(found: Discrepancy[]): string {
  if (found.length === 0) return 'No discrepancy: nothing lost, duplicated, reordered, leaked or changed.';
  const kinds = Map.groupBy(found, ({ kind }) => kind);
  const counts = [...kinds].map(([kind, list]) => `${list.length} ${kind}`).join(', ');
  const shown = found
    .slice(0, mostShown)
    .map(({ kind, who, seq, detail }) => `  ${kind}: ${who}${seq === undefined ? '' : ` seq ${seq}`}: ${detail}`);
  return [`${found.length} discrepancies: ${counts}`, ...shown].join('\n');
}

async function run(args: string[], context: Context): Promise<number> {
  const { signal, stdout, doing } = context;
  const options = readOptions(args);
  const say = (line: string): void => void stdout.write(`${line}\n`);
  const random = createRandom(options.seed);
  const text = options.file === undefined ? generateLog(options.generate, random) : await readLog(options.file);
  const log = parseLog(text);
  const steps = planSteps(log.events, options.members);
  const lines = steps.filter(({ type }) => type === 'say').length;
  if (lines === 0) throw new UsageError('nobody says anything in this log');
  const changes = steps.length - lines;
  say(`${lines} messages, ${changes} changes of membership, ${log.ignored} lines ignored, seed ${options.seed}`);
  if (options.url === undefined) doing('starting a cluster');

  const dir = options.url === undefined ? await mkdtemp(join(tmpdir(), 'restante-rehearsal-')) : null;
  const cluster =
    dir !== null ? await startCluster({ ...clusterShape, dir, env: clusterEnv(options, context.env) }) : null;
  let well = false;
  const recorders: DeviceRecorder[] = [];
  try {
    const { urls, secret } = await findStage(cluster, options.url, context.env);
    const anyUrl = (): string => urls[Math.floor(Math.random() * urls.length)]!;
    const kills = cluster !== null && options.kill ? planKills(cluster, random, steps.length, killEvery) : null;
    const begin = performance.now();
    let at = { done: 0, said: 0 };
    doing(() => {
      const online = recorders.filter(({ device }) => device.state === 'connected').length;
      const killed = kills === null ? '' : `, ${kills.count()} kills`;
      const now = `${at.said} said, ${online} of ${recorders.length} devices online${killed}`;
      return { done: at.done, total: steps.length, text: now };
    });
    const played = await replay(steps, {
      url: anyUrl,
      http: () => httpUrl(anyUrl()),
      token: async (user) => signToken(secret, { user, ttlSeconds: 3600, ...tokenRules(context.env) }),
      random,
      speed: options.speed,
      signal,
      recorders,
      step(done, said) {
        kills?.at(done);
        at = { done, said };
      },
    });
    const seconds = (performance.now() - begin) / 1000;
    await kills?.settled();
    const evidence = await gather(played, recorders, options.readers, random, doing, signal);
    doing('comparing');
    const found = check(evidence);
    for (const line of kills?.log ?? []) say(`  ${line}`);
    say(
      summary(evidence, {
        pulls: recorders.filter(({ mode }) => mode === 'pull').length,
        kills: kills?.count() ?? null,
        seconds,
      }),
    );
    say(verdict(found));
    well = found.length === 0;
    return well ? 0 : 1;
  } finally {
    doing('stopping');
    for (const { device } of recorders) device.close();
    await cluster?.stop();
    if (dir !== null && (well || signal.aborted)) await rm(dir, { recursive: true, force: true });
    else if (dir !== null) say(`The logs and data of the cluster are in ${dir}`);
  }
}

export const rehearseIrc: Command = { summary: 'replay a chat log and check that nothing is lost', usage, run };
