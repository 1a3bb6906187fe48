import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import WebSocket from 'ws';
import type { Client } from '../sdk/src/client/api.ts';
import { createClient } from '../sdk/src/client/client.ts';
import { Refusal } from '../sdk/src/refusal.ts';
import { sqlite } from '../sdk/src/storage/sqlite.ts';
import type { Target } from '../sdk/src/wire.ts';
import { idPattern } from '../shared/model/model.ts';
import { signToken } from '../tools/harness/sign-token.ts';
import { createScreen } from './chat/screen.ts';
import { startTalk, type Talk } from './chat/talk.ts';
import { statusLine } from './chat/view.ts';
import type { Command, Context } from './command.ts';
import { UsageError, dataDir, findSecret, findUrl, tokenRules, websocketUrl, type Env } from './context.ts';

const usage = `usage: npm run cli -- chat --as USER (--to USER | --conversation ID) [options]

Shows the last messages and those that came while this device was away, then talks both ways. Every line that is typed
is sent; Ctrl-C or Ctrl-D ends. What could not be sent by then is kept, and sent when this device is back.

  --as USER          your user
  --to USER          the other user
  --conversation ID  the conversation, instead of --to
  --url URL          the gateway (default: the one that npm start runs, or PORT on this machine)
  --device ID        the name of this device, which keeps what it has in DATA_DIR (default laptop)
  --token TOKEN      use this token; without it one is signed with AUTH_SECRET or the secret in DATA_DIR
  --once             send the lines of stdin, show messages until all are accepted, and end`;

/** How long lines that are typed at once wait for the messages that should stand above them. */
const historyMs = 2000;
const graceMs = 500;
const partingMs = 2000;
const tokenSeconds = 3600;

function requireId(name: string, value: string): string {
  if (!idPattern.test(value))
    throw new UsageError(`--${name}: not an id: ${value} (1 to 64 letters, digits, "_" and "-")`);
  return value;
}

function readOptions(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      as: { type: 'string' },
      to: { type: 'string' },
      conversation: { type: 'string' },
      url: { type: 'string' },
      device: { type: 'string', default: 'laptop' },
      token: { type: 'string' },
      once: { type: 'boolean', default: false },
    },
  });
  if (values.as === undefined || (values.to === undefined) === (values.conversation === undefined)) {
    throw new UsageError(`give --as, and either --to or --conversation\n\n${usage}`);
  }
  const where: Target =
    values.to !== undefined
      ? { to: requireId('to', values.to) }
      : { conversation: requireId('conversation', values.conversation!) };
  return {
    user: requireId('as', values.as),
    where,
    device: requireId('device', values.device),
    url: values.url,
    token: values.token,
    once: values.once,
  };
}

async function tokens(user: string, given: string | undefined, env: Env): Promise<() => string> {
  if (given !== undefined) return () => given;
  const secret = await findSecret(env);
  return () => signToken(secret, { user, ttlSeconds: tokenSeconds, ...tokenRules(env) });
}

/** What a device of a user has, and has not sent yet. */
function storageOf(env: Env, user: string, device: string) {
  const folder = join(dataDir(env), 'cli', user);
  mkdirSync(folder, { recursive: true });
  return sqlite({ file: join(folder, `${device}.sqlite`) });
}

/** Tells of each change of the connection once, until the returned function is called. */
function printStatus(client: Client, name: string, print: (line: string) => void): () => void {
  let told = '';
  return client.on('state', (status) => {
    const key = `${status.state} ${status.retryAt}`;
    if (key === told) return;
    told = key;
    const line = statusLine(status, name);
    if (line !== null) print(line);
  });
}

async function run(args: string[], context: Context): Promise<number> {
  const { user, where, device, once, ...options } = readOptions(args);
  const url = options.url === undefined ? await findUrl(context.env) : websocketUrl(options.url);
  const getToken = await tokens(user, options.token, context.env);
  const screen = createScreen(context);
  const { print } = screen;
  const { promise: ended, resolve: end } = Promise.withResolvers<number>();
  const showing = new AbortController();

  const client = createClient({
    url,
    getToken,
    device,
    storage: storageOf(context.env, user, device),
    webSocket: WebSocket,
  });
  const endStatus = printStatus(client, `${url} as ${user}`, print);
  client.on('state', ({ state }) => void (state === 'closed' && end(1)));
  client.on('fault', ({ error, where: place }) => print(`(${place}: ${error.message})`));
  let isNew = false;
  const welcomed = client.on('welcome', () => (isNew = true));
  const talking = client.connect().then(() => {
    welcomed();
    return startTalk({ client, user, where, isNew, print, signal: showing.signal });
  });
  talking
    .then((talk) => talk.show())
    .catch((error: unknown) => {
      // Anything else was reported as a fault, or is the end of the connection.
      if (error instanceof Refusal) print(`! ${error.code}: ${error.message}`);
      end(1);
    });

  /** Earlier messages should stand above what is typed, but a slow history must not block sending. */
  const shownBefore = ({ shown }: Talk) => Promise.race([shown, pause(historyMs, undefined, { ref: false })]);

  let refused = 0;
  const send = async (text: string): Promise<void> => {
    const talk = await talking;
    await shownBefore(talk);
    if (!(await talk.send(text))) refused++;
  };
  const sending = new Set<Promise<void>>();
  screen.reader.on('line', (line) => {
    if (line.trim() === '') return void (screen.terminal && screen.reader.prompt());
    const one = send(line)
      .catch(() => {})
      .finally(() => sending.delete(one));
    sending.add(one);
  });
  const inputEnded = new Promise<void>((resolve) => screen.reader.once('close', resolve));
  screen.reader.on('SIGINT', () => end(0));
  context.signal.addEventListener('abort', () => end(0), { once: true });

  // The end of a pipe does not end a chat that only listens; --once and Ctrl-D do.
  void inputEnded.then(async () => {
    const talk = once || screen.terminal ? await talking.catch(() => null) : null;
    if (talk === null) return;
    await shownBefore(talk);
    while (sending.size > 0) await Promise.all(sending);
    if (once) await pause(graceMs);
    end(refused > 0 ? 1 : 0);
  });

  const code = await ended;
  if (client.status.get().waiting > 0) await Promise.race([Promise.all(sending), pause(partingMs)]);
  const { waiting } = client.status.get();
  if (waiting > 0) print(`! ${waiting} not sent yet: kept until this device is back`);
  showing.abort();
  endStatus();
  await client.close();
  screen.reader.close();
  return code === 0 && waiting > 0 ? 1 : code;
}

export const chat: Command = { summary: 'talk in a terminal', usage, run };
