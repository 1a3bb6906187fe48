import { describe, expect, test } from 'vitest';
import { createAuthenticate, type TokenRules } from '../../../../gateway/auth/authenticate.ts';
import { nowSeconds, signClaims } from '../../../support/token.ts';

const secret = 'a secret of more than thirty-two bytes';
const older = 'an older secret of more than 32 bytes';
const none: TokenRules = { audiences: [], issuers: [], serviceScope: 'service' };

const ask = (claims: object, rules: Partial<TokenRules> = {}, signedWith = secret) =>
  createAuthenticate([secret, older], null, { ...none, ...rules })(
    signClaims({ sub: 'alice', iat: nowSeconds(), exp: nowSeconds() + 3600, ...claims }, signedWith),
  );
const refusal = { code: 'unauthenticated', message: 'the token is not valid' };

test('accepts a token signed with any of the secrets', async () => {
  expect(await ask({})).toMatchObject({ user: 'alice', device: null, service: false });
  expect(await ask({}, {}, older)).toMatchObject({ user: 'alice' });
  await expect(ask({}, {}, 'a third secret of more than 32 bytes!')).rejects.toMatchObject(refusal);
});

describe('the audience', () => {
  const rules = { audiences: ['chat', 'chat-next'] };
  test.each([['chat'], [['billing', 'chat-next']]])('accepts %j', async (aud) => {
    expect(await ask({ aud }, rules)).toMatchObject({ user: 'alice' });
  });
  test.each([['billing'], [['billing', 'mail']], [[]], ['chat '], ['Chat'], [null], [{ chat: 1 }], [undefined]])(
    '%j is not',
    async (aud) => {
      await expect(ask({ aud }, rules)).rejects.toMatchObject(refusal);
    },
  );
  test('is not checked unless it is set', async () => {
    expect(await ask({ aud: 'billing' })).toMatchObject({ user: 'alice' });
  });
});

describe('the issuer', () => {
  const rules = { issuers: ['https://id.example'] };
  test('accepts the configured issuer', async () => {
    expect(await ask({ iss: 'https://id.example' }, rules)).toMatchObject({ user: 'alice' });
  });
  test.each([['https://id.example.org'], ['https://id.example/'], [['https://id.example']], [undefined], ['']])(
    '%j is not',
    async (iss) => {
      await expect(ask({ iss }, rules)).rejects.toMatchObject(refusal);
    },
  );
});

describe('the scope of a back end', () => {
  test('must be a whole word, and the configured one', async () => {
    expect(await ask({ scope: 'openid service' })).toMatchObject({ service: true });
    expect(await ask({ scope: 'services' })).toMatchObject({ service: false });
    expect(await ask({ scope: 'openid service' }, { serviceScope: 'restante:service' })).toMatchObject({
      service: false,
    });
    expect(await ask({ scope: 'openid restante:service' }, { serviceScope: 'restante:service' })).toMatchObject({
      service: true,
    });
    expect(await ask({ scope: ['service'] })).toMatchObject({ service: false });
  });
});

describe('times', () => {
  const inFuture = (seconds: number) => nowSeconds() + seconds;
  test.each<[string, object]>([
    ['an end beyond every calendar', { exp: 1e300 }],
    ['an end in milliseconds', { exp: Date.now() + 3_600_000 }],
    ['an end in the past', { exp: inFuture(-1) }],
    ['an end that is text', { exp: String(inFuture(60)) }],
    ['no end', { exp: undefined }],
    ['a beginning in an hour', { iat: inFuture(3600) }],
    ['a beginning beyond every calendar', { iat: 1e300 }],
    ['a beginning in milliseconds', { iat: Date.now() }],
  ])('refuses %s', async (_, claims) => {
    await expect(ask(claims)).rejects.toMatchObject(refusal);
  });

  test('accepts a distant expiry, and a clock that is a little ahead', async () => {
    expect(await ask({ exp: 253_402_300_799 })).toMatchObject({ expiresAt: 253_402_300_799_000 });
    expect(await ask({ iat: inFuture(60) })).toMatchObject({ user: 'alice' });
    expect(await ask({ iat: undefined })).toMatchObject({ issuedAt: 0 });
  });
});
