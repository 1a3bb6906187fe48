import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { jwtVerify } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { harmless, messageLine, textOf } from '../../../cli/chat/view.ts';
import { findSecret, findUrl, websocketUrl } from '../../../cli/context.ts';
import type { Message } from '../../../shared/model/model.ts';
import { parseTtl } from '../../../tools/harness/sign-token.ts';

const secret = 'x'.repeat(40);
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'restante-cli-'));
});
afterEach(() => rm(dir, { recursive: true }));

const run = promisify(execFile);
const script = (name: string): string => fileURLToPath(new URL(`../../../cli/${name}`, import.meta.url));
const node = (name: string, args: string[], env: Record<string, string>) =>
  run(process.execPath, [script(name), ...args], { env: { DATA_DIR: dir, ...env } });

describe('token', { timeout: 60_000 }, () => {
  test('prints a token alone, signed with the first secret, with what was asked for', async () => {
    const { stdout, stderr } = await node('token.ts', ['alice', '--service', '--ttl', '2h', '--dev', 'phone'], {
      AUTH_SECRET: `${secret},${'y'.repeat(40)}`,
    });
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const { payload, protectedHeader } = await jwtVerify(stdout.trim(), new TextEncoder().encode(secret));
    expect(protectedHeader.alg).toBe('HS256');
    expect(payload).toMatchObject({ sub: 'alice', dev: 'phone', scope: 'service' });
    expect(payload.exp! - payload.iat!).toBe(7200);
  });

  test('a plain one has neither scope nor device, and the secret of the launcher is found', async () => {
    await writeFile(join(dir, 'auth-secret'), `${secret}\n`);
    const { stdout } = await node('token.ts', ['bob'], {});
    const { payload } = await jwtVerify(stdout.trim(), new TextEncoder().encode(secret));
    expect(Object.keys(payload).sort()).toEqual(['exp', 'iat', 'sub']);
  });

  test('names what the gateways ask for', async () => {
    const env = {
      AUTH_SECRET: secret,
      AUTH_AUDIENCE: 'chat,next',
      AUTH_ISSUER: 'https://id.example',
      AUTH_SERVICE_SCOPE: 'restante:service',
    };
    const { stdout } = await node('token.ts', ['backend', '--service'], env);
    const { payload } = await jwtVerify(stdout.trim(), new TextEncoder().encode(secret));
    expect(payload).toMatchObject({ aud: 'chat', iss: 'https://id.example', scope: 'restante:service' });
  });

  test.each([
    [['alice'], {}, 'No secret to sign with'],
    [['a b'], { AUTH_SECRET: secret }, 'not a user id: a b'],
    [['alice', '--ttl', 'soon'], { AUTH_SECRET: secret }, 'not a time to live: soon'],
    [['alice', '--dev', 'my phone'], { AUTH_SECRET: secret }, 'not a device id: my phone'],
    [[], { AUTH_SECRET: secret }, 'usage'],
  ])('%j ends with a sentence and exit code 1', async (args, env, sentence) => {
    await expect(node('token.ts', args, env)).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(sentence),
    });
  });

  test('times to live', () => {
    expect(['90s', '15m', '1h', '7d', '1', '0s', '-1s', '1w', ''].map(parseTtl)).toEqual([
      90,
      900,
      3600,
      604_800,
      null,
      null,
      null,
      null,
      null,
    ]);
  });
});

// Each starts a process, which takes long on a busy machine.
describe('commands', { timeout: 60_000 }, () => {
  test('an unknown one is named, and exit code 2', async () => {
    await expect(node('main.ts', ['conquer'], {})).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('There is no command "conquer".'),
    });
  });

  test.each([
    ['chat', '--bogus'],
    ['rehearse-irc', '--speed', 'x', 'file'],
    ['rehearse-irc', '--kill', '--url', 'ws://127.0.0.1:1', 'file'],
    ['rehearse-irc', 'no-such-file'],
    ['chat', '--as', 'alice'],
  ])('%s %s is refused before anything starts', async (...args) => {
    await expect(node('main.ts', args, { AUTH_SECRET: secret })).rejects.toMatchObject({
      stdout: '',
      stderr: expect.not.stringContaining('    at '),
    });
  });
});

describe('the gateway to talk to', () => {
  test('is the one of PORT without a launcher', async () => {
    expect(await findUrl({ DATA_DIR: dir, PORT: '9000' })).toBe('ws://127.0.0.1:9000');
  });

  test.each([
    ['{"web":[4001,4002],"host":"0.0.0.0","launcher":{"pid":1}}', 'ws://127.0.0.1:4001'],
    ['{"web":4001,"host":"192.0.2.1"}', 'ws://192.0.2.1:4001'],
    ['{"web":[{"port":4003}]}', 'ws://127.0.0.1:4003'],
    ['{"web":[4001],"launcher":null}', 'ws://127.0.0.1:9000'],
    ['{"web":[]}', 'ws://127.0.0.1:9000'],
    ['{"web"', 'ws://127.0.0.1:9000'],
  ])('with %s in run.json', async (text, url) => {
    await writeFile(join(dir, 'run.json'), text);
    expect(await findUrl({ DATA_DIR: dir, PORT: '9000' })).toBe(url);
  });

  test('may be written in several ways', () => {
    expect(['http://h:1/', 'wss://h', 'localhost:8080'].map(websocketUrl)).toEqual([
      'ws://h:1',
      'wss://h',
      'ws://localhost:8080',
    ]);
    expect(() => websocketUrl('ftp://h')).toThrow('not an address');
  });

  test('an empty AUTH_SECRET counts as none', async () => {
    await writeFile(join(dir, 'auth-secret'), secret);
    expect(await findSecret({ DATA_DIR: dir, AUTH_SECRET: '' })).toBe(secret);
  });
});

describe('chat', () => {
  test('what others write cannot steer the terminal', () => {
    expect(harmless('a\u001b[31mb\u0007c\nd\u202ee\u009bf')).toBe('a\ufffd[31mb\ufffdc d\ufffde\ufffdf');
    expect(harmless('größer 日本 🙂')).toBe('größer 日本 🙂');
  });

  test('lines', () => {
    const message: Message = {
      id: '1-0',
      conversation: 'c',
      seq: 1,
      at: 0,
      sender: 'bob',
      clientId: 'k',
      kind: 'text',
      body: { text: 'hi' },
      class: 'normal',
    };
    expect(messageLine(message, 'c')).toMatch(/^\d\d:\d\d:\d\d bob: hi$/);
    expect(messageLine(message, 'd')).toMatch(/ \[c\] bob: hi$/);
    expect(
      messageLine({ ...message, kind: 'restante.membership', body: { user: 'eve', action: 'removed' } }, 'c'),
    ).toMatch(/ \* eve was removed \(by bob\)$/);
    expect([textOf('x'), textOf({ text: 1 }), textOf([1])]).toEqual(['x', '{"text":1}', '[1]']);
  });
});
