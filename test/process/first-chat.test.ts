import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { noBrowser, openBrowser } from '../../tools/harness/browser.ts';
import { freePort } from '../../tools/harness/free-port.ts';
import { type GuideBlock, readBlocks } from '../support/guide-blocks.ts';

/**
 * Your first chat in ten minutes, word by word in an empty folder: every block of the guide, in its order. Only the
 * ports are others, so that it disturbs nobody on this machine.
 */

const root = fileURLToPath(new URL('../..', import.meta.url));
const patient = { timeout: 90_000 };
let dir: string;
let browser: Browser | null;
let blocks: GuideBlock[];
let serverPort: number;
const stops: (() => Promise<void>)[] = [];

/** A checkout with the files of this one. The folder of the client is a copy, since packing it writes there. */
async function layCheckout(checkout: string): Promise<void> {
  await mkdir(join(checkout, 'data'), { recursive: true });
  for (const name of await readdir(root))
    if (!['sdk', 'data', '.git'].includes(name)) await symlink(join(root, name), join(checkout, name));
  const isSource = (path: string): boolean => !path.startsWith(join(root, 'sdk', 'dist'));
  await cp(join(root, 'sdk'), join(checkout, 'sdk'), { recursive: true, filter: isSource });
}

beforeAll(async () => {
  browser = await openBrowser();
  dir = await mkdtemp(join(tmpdir(), 'restante-first-chat-'));
  await layCheckout(join(dir, 'restante'));
  serverPort = await freePort();
  const guide = await readFile(join(root, 'docs', 'guides', 'first-chat.md'), 'utf8');
  blocks = readBlocks(guide.replaceAll('8080', String(serverPort)).replaceAll('3000', String(await freePort())));
}, 120_000);

afterAll(async () => {
  await browser?.close();
  for (const stop of stops.toReversed()) await stop();
  await rm(dir, { recursive: true, force: true });
}, 60_000);

const environment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  PORT: String(serverPort),
  DATA_DIR: join(dir, 'restante', 'data'),
  REDIS_URL: '',
});

/** Runs a block as in a terminal that is in the folder. Resolves the folder in which the terminal is afterwards. */
async function type({ text, line }: GuideBlock, folder: string): Promise<string> {
  const child = spawn('bash', ['-ec', `${text}\npwd >&3`], {
    cwd: folder,
    env: environment(),
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  let said = '';
  let where = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => (said += String(chunk)));
  child.stdio[3]!.on('data', (chunk: Buffer) => (where += String(chunk)));
  const [code] = (await once(child, 'close')) as [number | null];
  expect(code, `the block of line ${line} said:\n${said}`).toBe(0);
  return where.trim();
}

/** Runs a block that stays, until it says what it is waited for. Resolves what ends it as Ctrl-C does. */
async function start({ text, line }: GuideBlock, folder: string, ready: RegExp): Promise<() => Promise<void>> {
  const child = spawn('bash', ['-ec', text], {
    cwd: folder,
    env: environment(),
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  const closed = once(child, 'close');
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, 'SIGINT');
    await closed;
  };
  stops.push(stop);
  const lines: string[] = [];
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (text_) => {
      lines.push(text_);
      if (ready.test(text_)) resolve();
    });
    void closed.then(() => reject(new Error(`the block of line ${line} ended:\n${lines.join('\n')}`)));
  });
  return stop;
}

test('every block works, and the page is a chat that loses nothing', async (context) => {
  if (browser === null) return context.skip(noBrowser);
  const [startServer, makeProject, ...rest] = blocks;
  const stopServer = await start(startServer!, dir, /ready in/);
  const project = await type(makeProject!, dir);
  expect(project).toBe(join(dir, 'my-chat'));
  for (const { language, role, text } of rest) if (language !== 'sh') await writeFile(join(project, role), text);
  await start(rest.at(-1)!, project, /open http/);
  expect(rest.map(({ language, role }) => `${language} ${role}`)).toEqual([
    'js server.mjs',
    'html index.html',
    'sh stays',
  ]);

  const guide = await readFile(join(root, 'docs', 'guides', 'first-chat.md'), 'utf8');
  const [alicesPage, bobsPage] = [...guide.matchAll(/<(http:\/\/localhost:3000\/\?[^>]+)>/g)].map(([, url]) =>
    url!.replace('3000', /localhost:(\d+)/.exec(blocks[0]!.text)![1]!),
  ) as [string, string];

  const open = async (place: BrowserContext, url: string): Promise<Page> => {
    const page = await place.newPage();
    await page.goto(url);
    return page;
  };
  const write = async (page: Page, text: string): Promise<void> => {
    await page.fill('#text', text);
    await page.click('button');
  };
  const shows = (page: Page, text: string): Promise<void> =>
    page.locator('#messages li', { hasText: text }).waitFor(patient);

  const place = await browser.newContext();
  const alice = await open(place, alicesPage);
  await alice.locator('#status', { hasText: 'alice: connected' }).waitFor(patient);
  const bob = await open(place, bobsPage);
  await write(alice, 'Hello Bob');
  await shows(alice, 'alice: Hello Bob (accepted)');
  await shows(bob, 'alice: Hello Bob (accepted)');
  await write(bob, 'Hello Alice');
  await shows(alice, 'bob: Hello Alice (accepted)');

  // Close Bob's window, write as Alice, and open it again.
  await bob.close();
  await write(alice, 'You were away');
  await shows(alice, 'You were away (accepted)');
  await shows(await open(place, bobsPage), 'alice: You were away (accepted)');

  // Stop the server, write, load the page again, and start the server.
  await stopServer();
  await alice.locator('#status', { hasNotText: 'connected' }).waitFor(patient);
  await write(alice, 'Nobody is there');
  await shows(alice, 'Nobody is there (queued)');
  await alice.reload();
  await shows(alice, 'Nobody is there (queued)');
  await start(startServer!, dir, /ready in/);
  await shows(alice, 'Nobody is there (accepted)');
  expect(await alice.locator('#messages li').count()).toBe(4);

  // A second device of Alice gets what the first one has written.
  const other = await open(await browser.newContext(), alicesPage);
  await shows(other, 'alice: Nobody is there (accepted)');
  await shows(other, 'bob: Hello Alice (accepted)');
}, 300_000);
