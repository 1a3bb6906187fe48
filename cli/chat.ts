import { createInterface, clearLine, cursorTo } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Device } from '../sdk/src/api.ts';
import { connect } from '../sdk/src/device.ts';
import { Refusal } from '../sdk/src/refusal.ts';
import type { Target } from '../sdk/src/wire.ts';
import { idPattern, type Gap, type Message } from '../shared/model/model.ts';
import { signToken } from '../tools/harness/sign-token.ts';
import { placeFile } from './chat/place.ts';
import { clock, harmless, messageLine, rangesText } from './chat/view.ts';
import type { Command, Context } from './command.ts';
import { UsageError, dataDir, findSecret, findUrl, tokenRules, websocketUrl, type Env } from './context.ts';

const usage = `usage: npm run cli -- chat --as USER (--to USER | --conversation ID) [options]

Shows the last messages and those that came while this device was away, then talks both ways. Every line that is typed
is sent; Ctrl-C or Ctrl-D ends.

  --as USER          your user
  --to USER          the other user
  --conversation ID  the conversation, instead of --to
  --url URL          the gateway (default: the one that npm start runs, or PORT on this machine)
  --device ID        the name of this device, which has its own position (default laptop)
  --token TOKEN      use this token; without it one is signed with AUTH_SECRET or the secret in DATA_DIR
  --once             send the lines of stdin, show messages until all are accepted, and end`;

const historyLimit = 20;
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

/** Prints lines of output above the line that is being typed. */
function createScreen({ stdin, stdout }: Context) {
  const terminal = stdin.isTTY === true && stdout.isTTY === true;
  const reader = createInterface({ input: stdin, ...(terminal ? { output: stdout, prompt: '> ' } : {}), terminal });
  return {
    reader,
    terminal,
    print(line: string): void {
      if (terminal) {
        clearLine(stdout, 0);
        cursorTo(stdout, 0);
      }
      stdout.write(`${line}\n`);
      if (terminal) reader.prompt(true);
    },
  };
}

async function run(args: string[], context: Context): Promise<number> {
  const options = readOptions(args);
  const { where } = options;
  const url = options.url === undefined ? await findUrl(context.env) : websocketUrl(options.url);
  const getToken = await tokens(options.user, options.token, context.env);
  const file = placeFile(dataDir(context.env), options.user, options.device);
  const screen = createScreen(context);
  const { print } = screen;

  let conversation: string | null = where.conversation ?? null;
  /** Messages that arrived before the history was shown; null afterwards. */
  let early: Message[] | null = [];
  const shown = new Set<string>();
  let refused = 0;
  let end: (code: number) => void = () => {};
  const ended = new Promise<number>((resolve) => (end = resolve));

  const show = (message: Message): void => {
    if (shown.has(message.id)) return;
    shown.add(message.id);
    print(messageLine(message, conversation));
  };

  /** One gap after the other, and only after the history: a gap may overlap the history shown, or an earlier gap. */
  let reading = Promise.resolve();
  const fetchGap = async (gap: Gap): Promise<void> => {
    await entered;
    const missing = device.missing(gap);
    if (missing.length === 0) return;
    print(`(messages ${rangesText(missing)} of ${gap.conversation} are in the history only)`);
    await device.fill(gap, show);
  };

  const device: Device = connect(url, getToken, options.device, {
    ...file.load(),
    events: {
      state(state, detail) {
        if (state === 'connected') print(`(connected to ${url} as ${options.user})`);
        if (state === 'waiting') {
          const reason = harmless(detail.reason || `code ${detail.code}`);
          print(`(not connected: ${reason}; next try in ${((detail.waitMs ?? 0) / 1000).toFixed(1)} s)`);
        }
        if (state === 'closed' && detail.code !== undefined) {
          print(`(closed by the server: ${detail.code} ${harmless(detail.reason ?? '')})`);
          end(1);
        }
      },
      item: ({ message }) => (early === null ? show(message) : void early.push(message)),
      gap(gap) {
        reading = reading
          .then(() => fetchGap(gap))
          .catch((error: Error) => print(`(could not read them: ${error.message})`));
      },
      position: (position, epoch) => file.save({ position, epoch }),
    },
  });

  const send = async (text: string): Promise<void> => {
    const slow = setTimeout(() => print(`… sending: ${harmless(text)}`), 300);
    try {
      const { message, duplicate } = await device.send({ ...where, kind: 'text', body: { text } });
      conversation ??= message.conversation;
      shown.add(message.id);
      const again = duplicate === true ? ', sent again' : '';
      print(`${clock(message.at)} ${options.user}: ${harmless(text)}  (accepted, seq ${message.seq}${again})`);
    } catch (error) {
      refused++;
      const code = error instanceof Refusal ? error.code : 'not sent';
      print(`! ${code}: ${(error as Error).message}: ${harmless(text)}`);
    } finally {
      clearTimeout(slow);
    }
  };

  const enter = async (): Promise<void> => {
    const page = await device.history({ ...where, limit: historyLimit });
    conversation ??= page.conversation;
    for (const message of page.messages.reverse()) show(message);
    for (const message of early ?? []) show(message);
    early = null;
  };

  const entered = enter().catch((error: unknown) => {
    if (device.state === 'closed') return;
    print(`! ${error instanceof Refusal ? error.code : 'error'}: ${(error as Error).message}`);
    end(1);
  });
  const sending = new Set<Promise<void>>();
  screen.reader.on('line', (line) => {
    if (line.trim() === '') return void (screen.terminal && screen.reader.prompt());
    // Earlier messages should stand above it, but a slow history must not block sending.
    const one = Promise.race([entered, pause(historyMs, undefined, { ref: false })])
      .then(() => send(line))
      .finally(() => sending.delete(one));
    sending.add(one);
  });
  const inputEnded = new Promise<void>((resolve) => screen.reader.once('close', resolve));
  screen.reader.on('SIGINT', () => end(0));
  context.signal.addEventListener('abort', () => end(0), { once: true });

  // The end of a pipe does not end a chat that only listens; --once and Ctrl-D do.
  void inputEnded.then(async () => {
    if (!options.once && !screen.terminal) return;
    await entered;
    while (sending.size > 0) await Promise.all(sending);
    if (options.once) await pause(graceMs);
    end(refused > 0 ? 1 : 0);
  });

  const code = await ended;
  if (device.unsent > 0) await Promise.race([Promise.allSettled(sending), pause(partingMs)]);
  const unsent = device.unsent;
  if (unsent > 0) print(`! ${unsent} not sent`);
  await device.close();
  screen.reader.close();
  return code === 0 && unsent > 0 ? 1 : code;
}

export const chat: Command = { summary: 'talk in a terminal', usage, run };
