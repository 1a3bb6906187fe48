import { afterEach, beforeEach, expect, test } from 'vitest';
import { createAuthenticate } from '../../../../gateway/auth/authenticate.ts';
import { createKeyServer } from '../../../../gateway/auth/key-server.ts';
import { type Issuer, startIssuer } from '../../../support/issuer.ts';

let issuer: Issuer;
let failures: unknown[];
/** What the key server takes for the time passes only when a test says so. */
let passedMs: number;

beforeEach(async () => {
  issuer = await startIssuer();
  failures = [];
  passedMs = 0;
});
afterEach(() => issuer.stop());

const rules = { audiences: [], issuers: [], serviceScope: 'service' };
const open = () =>
  createAuthenticate(
    [],
    createKeyServer(
      issuer.url,
      (failure) => failure !== null && failures.push(failure),
      () => performance.now() + passedMs,
    ),
    rules,
  );

const codeOf = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => 'valid',
    (thrown: { code: string }) => thrown.code,
  );

test('fetches keys once for many tokens', async () => {
  const authenticate = open();
  const tokens = await Promise.all(['alice', 'bob', 'carol'].map((sub) => issuer.sign({ sub })));
  const users = await Promise.all(tokens.map(authenticate));
  expect(users.map(({ user }) => user)).toEqual(['alice', 'bob', 'carol']);
  expect(issuer.fetches).toBe(1);
});

test.each<[string, Issuer['answer']]>([
  ['answers 500', (response) => response.writeHead(500).end('{"keys":[]}')],
  [
    'answers with a page',
    (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>mending</html>'),
  ],
  ['sends elsewhere', (response) => response.writeHead(302, { location: '/login' }).end()],
  ['publishes no key', (response) => response.writeHead(200).end('{"keys":[]}')],
  ['answers something else', (response) => response.writeHead(200).end('[1]')],
  ['answers without end', (response) => response.writeHead(200).end('x'.repeat(2_000_000))],
  ['breaks off', (response) => response.destroy()],
])('refuses tokens with retry_later while the key server %s', async (_, answer) => {
  issuer.answer = answer;
  const authenticate = open();
  const token = await issuer.sign({ sub: 'alice' });
  expect(await codeOf(authenticate(token))).toBe('retry_later');
  expect(failures).toHaveLength(1);
  // Until the pause is over nobody is asked.
  expect(await codeOf(authenticate(token))).toBe('retry_later');
  expect(issuer.fetches).toBe(1);
  issuer.answer = null;
  passedMs += 1000;
  expect(await codeOf(authenticate(token))).toBe('valid');
});

test('refuses tokens with retry_later within five seconds while the key server hangs', async () => {
  issuer.answer = () => undefined;
  const begun = performance.now();
  expect(await codeOf(open()(await issuer.sign({ sub: 'alice' })))).toBe('retry_later');
  expect(performance.now() - begun).toBeLessThan(5000);
});

test('does not blame a token for an outage of the key server, and asks it about no malformed one', async () => {
  await issuer.stop();
  const authenticate = open();
  expect(await codeOf(authenticate('no token'))).toBe('unauthenticated');
  expect(failures).toEqual([]);
  expect(await codeOf(authenticate(await issuer.sign({ sub: 'alice' })))).toBe('retry_later');
  expect(failures).toHaveLength(1);
});

test('keeps using known keys during an outage, and fetches again in the background', async () => {
  const authenticate = open();
  const token = await issuer.sign({ sub: 'alice' });
  expect(await codeOf(authenticate(token))).toBe('valid');
  await issuer.stop();
  passedMs += 3_600_000;
  expect(await codeOf(authenticate(token))).toBe('valid');
  await expect.poll(() => failures.length).toBe(1);
  expect(await codeOf(authenticate(token))).toBe('valid');
  expect(await codeOf(authenticate(await issuer.sign({ sub: 'alice' }, { kid: 'unknown' })))).toBe('retry_later');
});

test('uses known keys at once while the key server hangs', async () => {
  const authenticate = open();
  const token = await issuer.sign({ sub: 'alice' });
  await authenticate(token);
  issuer.answer = () => undefined;
  passedMs += 3_600_000;
  const begun = performance.now();
  for (let i = 0; i < 20; i++) expect(await codeOf(authenticate(token))).toBe('valid');
  expect(performance.now() - begun).toBeLessThan(1000);
  expect(issuer.fetches).toBe(2);
});

test('accepts a new key once it is published, and refuses a withdrawn one after the next fetch', async () => {
  const authenticate = open();
  const before = await issuer.sign({ sub: 'alice' });
  await authenticate(before);
  await issuer.rotate();
  expect(await codeOf(authenticate(await issuer.sign({ sub: 'alice' })))).toBe('valid');
  passedMs += 2000;
  expect(await codeOf(authenticate(before))).toBe('unauthenticated');
});

test('refuses tokens of unknown keys, with at most one fetch a second', async () => {
  const authenticate = open();
  await authenticate(await issuer.sign({ sub: 'alice' }));
  const forged = await Promise.all(
    Array.from({ length: 30 }, (_, i) => issuer.sign({ sub: 'alice' }, { kid: `forged-${i}` })),
  );
  const begun = performance.now();
  expect(new Set(await Promise.all(forged.map((token) => codeOf(authenticate(token)))))).toEqual(
    new Set(['unauthenticated']),
  );
  const seconds = Math.floor((performance.now() - begun) / 1000);
  expect(issuer.fetches).toBeGreaterThanOrEqual(2);
  expect(issuer.fetches).toBeLessThanOrEqual(2 + seconds);
});

test('refuses a signature by another key under a published name', async () => {
  const authenticate = open();
  await authenticate(await issuer.sign({ sub: 'alice' }));
  expect(await codeOf(authenticate(await issuer.sign({ sub: 'alice' }, { kid: 'key-1' })))).toBe('unauthenticated');
});

test('tries a token that names no key with every key that fits', async () => {
  const authenticate = open();
  const before = await issuer.sign({ sub: 'alice' }, { unnamed: true });
  await issuer.rotate({ keep: true });
  for (const token of [before, await issuer.sign({ sub: 'bob' }, { unnamed: true })])
    expect(await codeOf(authenticate(token))).toBe('valid');
  await issuer.rotate();
  expect(await codeOf(authenticate(await issuer.sign({ sub: 'alice' }, { unnamed: true })))).toBe('unauthenticated');
});
