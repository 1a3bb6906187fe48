/**
 * `npm start [-- fanout=2 web=2]`: installs missing parts, and starts Redis and every line of the Procfile. With
 * `--single` they are one process. Stays until SIGINT, SIGTERM or SIGHUP, and then stops everything in order.
 */
import { mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { compileChatApp } from './chat-app.mjs';
import { claim } from './claim.mjs';
import { startCluster, untilAborted } from './cluster.mjs';
import { Failure } from './failure.mjs';
import { stopLeftovers } from './leftovers.mjs';
import { createPrinter } from './log-lines.mjs';
import { processId } from './process-id.mjs';
import { parseCounts, parseProcfile, planProcesses } from './procfile.mjs';
import { freePort, originOf } from './ready.mjs';
import { startRedis } from './redis.mjs';
import { readRunFile, writeRunFile } from './run-file.mjs';
import { childEnvironment, installRoot, nodePath } from './runtime.mjs';
import { loadOrMakeRedisPassword, loadOrMakeSecret } from './secret.mjs';
import { redisBinary, setup } from './setup.mjs';
import { exampleToken, welcome } from './welcome.mjs';

/** Run last to first, so that each finds its dependencies still there. @type {(() => unknown)[]} */
const releases = [];
/** @type {(text: string) => void} */
let say = (text) => process.stderr.write(`restante: ${text}\n`);

const interrupted = new AbortController();
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => interrupted.abort());
}
// The reader of our output may be gone (a closed pipe or terminal): that alone is no reason to crash.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

let exitCode = 0;
try {
  await start(interrupted.signal);
  await untilAborted(interrupted.signal);
} catch (error) {
  if (!interrupted.signal.aborted) {
    exitCode = 1;
    say(error instanceof Failure ? error.message : String(error instanceof Error ? error.stack : error));
  }
}
const stoppedAt = Date.now();
if (releases.length > 0) say('stopping');
for (const release of releases.toReversed()) {
  try {
    await release();
  } catch (error) {
    exitCode = 1;
    say(String(error));
  }
}
if (releases.length > 0) say(`stopped in ${secondsSince(stoppedAt)} s`);
process.exit(exitCode);

/** @param {AbortSignal} signal */
async function start(signal) {
  const startedAt = Date.now();
  const root = process.env.RESTANTE_ROOT ?? installRoot;
  const host = process.env.HOST || '127.0.0.1';
  const args = process.argv.slice(2);
  const procfile = args.includes('--single') ? join('single-process', 'Procfile') : 'Procfile';
  const lines = parseProcfile(readFileSync(join(root, procfile), 'utf8'));
  const counts = parseCounts(
    args.filter((arg) => arg !== '--single'),
    lines.map(({ name }) => name),
  );
  const planned = planProcesses(lines, counts, basePort(process.env.PORT || '8080'));

  await setup({ redis: !process.env.REDIS_URL, signal });
  const node = nodePath();
  if (node === undefined) throw new Failure('no Node 24 was found');

  const dataDir = resolve(root, process.env.DATA_DIR || 'data');
  // Messages and the secret must not be readable by anybody else.
  process.umask(0o077);
  mkdirSync(dataDir, { recursive: true });
  const earlier = readRunFile(realpathSync(dataDir));
  releases.push(await claim(realpathSync(dataDir)));

  const colour = process.stdout.isTTY && !process.env.NO_COLOR;
  const names = ['restante', 'redis', ...planned.map(({ name }) => name)];
  const print = createPrinter(names, process.stdout, colour);
  say = (text) => text.split('\n').forEach((line) => print('restante', line));

  await stopLeftovers(earlier, say);
  await checkWebPorts(planned, host);

  /** @type {import('./run-file.mjs').RunFile} */
  const run = {
    launcher: processId(process.pid),
    redisUrl: process.env.REDIS_URL || null,
    redis: null,
    redisPort: earlier?.redisPort ?? null,
    processes: [],
    host,
    web: [],
  };
  const record = () => writeRunFile(dataDir, run);
  record();
  releases.push(() => {
    Object.assign(run, { launcher: null, redisUrl: null, redis: null, processes: [], web: [] });
    record();
  });

  if (run.redisUrl === null) {
    const redis = await startRedis({
      binary: redisBinary() ?? 'redis-server',
      dir: join(dataDir, 'redis'),
      password: loadOrMakeRedisPassword(dataDir),
      lastPort: run.redisPort,
      signal,
      say: (text) => text.split('\n').forEach((line) => print('redis', line)),
      onStart: (pid, port) => {
        Object.assign(run, { redis: processId(pid), redisPort: port });
        record();
      },
    });
    releases.push(() => redis.stop(1_500));
    run.redisUrl = redis.url;
    record();
  }

  const env = {
    ...childEnvironment(process.env),
    HOST: host,
    DATA_DIR: dataDir,
    REDIS_URL: run.redisUrl,
    ...(process.env.AUTH_SECRET || process.env.AUTH_JWKS_URL ? {} : { AUTH_SECRET: loadOrMakeSecret(dataDir) }),
  };
  const cluster = startCluster({
    planned: planned.map((plan) => ({
      ...plan,
      command: plan.command.map((word, i) => (i === 0 && word === 'node' ? node : word)),
    })),
    cwd: root,
    env,
    host,
    print,
    say,
    onChange: () => queueMicrotask(recordProcesses),
  });
  releases.push(() => cluster.stop());

  function recordProcesses() {
    const running = cluster.running();
    run.processes = running.flatMap(({ name, port, id }) => (id === null ? [] : [{ ...id, name, port }]));
    run.web = running.filter(({ line }) => line === 'web').map(({ port }) => port);
    record();
  }

  const page = process.env.NODE_ENV !== 'production';
  // Gateways read the app when somebody asks for it, so they need not wait for it.
  const compiling = page ? compileChatApp(node) : Promise.resolve(null);

  const token = process.env.AUTH_JWKS_URL
    ? Promise.resolve('from your own issuer, since AUTH_JWKS_URL is set')
    : exampleToken({ root, node, env, signal });
  await cluster.untilReady(signal);
  const fault = await compiling;
  if (fault !== null) say(`the chat app could not be compiled:\n${fault}`);

  const privateRedis = run.redis === null ? '' : ` (append-only file in ${join(dataDir, 'redis')})`;
  const facts = {
    seconds: secondsSince(startedAt),
    origins: run.web.map((port) => originOf(host, port)),
    redis: `${withoutPassword(run.redisUrl)}${privateRedis}`,
    dataDir,
    token: await token,
    page,
  };
  for (const line of welcome(facts)) say(line);
}

/** @param {string} text */
function basePort(text) {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65535) return Number(text);
  throw new Failure(`PORT must be a whole number from 0 to 65535, not "${text}"`);
}

/**
 * A worker takes another port if its own is taken. A gateway must not: clients look for it at the promised port.
 * @param {import('./procfile.mjs').PlannedProcess[]} planned
 * @param {string} host
 */
async function checkWebPorts(planned, host) {
  for (const { line, name, port } of planned) {
    if (line !== 'web' || port === 0 || (await freePort(port, host)) !== undefined) continue;
    throw new Failure(
      `port ${port} of ${name} is taken by another program; choose another, for example: PORT=${port + 1000} npm start`,
    );
  }
}

/** @param {number} moment */
function secondsSince(moment) {
  return ((Date.now() - moment) / 1000).toFixed(1);
}

/** @param {string} urls one or several, comma-separated */
function withoutPassword(urls) {
  return urls.replace(/\/\/[^/@,]*@/g, '//');
}
