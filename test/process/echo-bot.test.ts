import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { installPackedClient } from '../support/packed-client.ts';

/** examples/echo-bot.mjs in a project of its own, as its guide says. */

const example = fileURLToPath(new URL('../../examples/echo-bot.mjs', import.meta.url));
let dir: string;
let project: string;
let cluster: Cluster;
let bot: ChildProcess | undefined;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'restante-bot-'));
  project = join(dir, 'project');
  await mkdir(project);
  await writeFile(join(project, 'package.json'), '{ "name": "project", "private": true }\n');
  await installPackedClient(dir, project);
  await cp(example, join(project, 'echo-bot.mjs'));
  cluster = await startCluster();
}, 240_000);

afterAll(async () => {
  bot?.kill('SIGKILL');
  await cluster?.stop();
  await rm(dir, { recursive: true, force: true });
});

/** Resolves when the bot says that it answers. */
async function startBot(user: string): Promise<void> {
  const url = cluster.url().replace(/\/v1\/ws$/, '');
  const env = { ...process.env, RESTANTE_URL: url, RESTANTE_TOKEN: cluster.token(user) };
  const child = (bot = spawn(process.execPath, ['echo-bot.mjs'], {
    cwd: project,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  }));
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  expect(line).toBe(`${user} answers`);
}

async function endBot(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
  bot!.kill(signal);
  const [code] = (await once(bot!, 'exit')) as [number | null];
  return code;
}

test('answers each message once, also what came while it was down or had crashed', async () => {
  const [alice, echo] = [cluster.user('alice'), cluster.user('echo')];
  const asAlice = async (method: string, path: string, body?: unknown) => {
    const { status, body: answer } = await cluster.http(cluster.token(alice), method, path, body);
    expect(status).toBeLessThan(300);
    return answer as { message: { conversation: string }; messages: { sender: string; body: { text: string } }[] };
  };
  const say = async (text: string) =>
    (await asAlice('POST', '/messages', { clientId: `say-${text}`, to: echo, kind: 'text', body: { text } })).message;
  const { conversation } = await say('one');
  const answers = async (): Promise<string[]> => {
    const { messages } = await asAlice('GET', `/conversations/${conversation}/messages?after=0`);
    return messages.filter(({ sender }) => sender === echo).map(({ body }) => body.text);
  };
  const answered = (...texts: string[]): Promise<void> =>
    vi.waitFor(async () => expect(await answers()).toEqual(texts.map((text) => `You wrote: ${text}`)), {
      timeout: 60_000,
      interval: 200,
    });

  await startBot(echo);
  await answered('one');
  await say('two');
  await answered('one', 'two');
  expect(await endBot('SIGTERM')).toBe(0);
  await say('three');
  await startBot(echo);
  await answered('one', 'two', 'three');
  await endBot('SIGKILL');
  await say('four');
  await startBot(echo);
  await say('five');
  await answered('one', 'two', 'three', 'four', 'five');
  expect(await endBot('SIGTERM')).toBe(0);
}, 240_000);
