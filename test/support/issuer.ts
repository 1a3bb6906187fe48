import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { nowSeconds } from './token.ts';

type Kept = { kid: string; privateKey: CryptoKey; publicJwk: object };

export type Issuer = {
  url: string;
  /** How often its keys were fetched. */
  fetches: number;
  /** Overrides the response from now on; null: the published keys. */
  answer: ((response: ServerResponse) => void) | null;
  /** Publishes a new key and signs with it from now on. Earlier keys are removed unless `keep` is set. */
  rotate(options?: { keep: boolean }): Promise<void>;
  /** A token signed with the newest key, or with an unpublished key named `kid`. It names its key unless `unnamed`. */
  sign(claims: object, options?: { kid?: string; unnamed?: boolean }): Promise<string>;
  stop(): Promise<void>;
  /** Listens again at the same address. */
  start(): Promise<void>;
};

/** A token issuer: a real HTTP server that publishes its keys. */
export async function startIssuer(): Promise<Issuer> {
  let made = 0;
  const make = async (kid = `key-${++made}`): Promise<Kept> => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    return { kid, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' } };
  };
  let key = await make();
  let published = [key];

  const server = createServer((_request, response) => {
    issuer.fetches += 1;
    if (issuer.answer !== null) return issuer.answer(response);
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ keys: published.map(({ publicJwk }) => publicJwk) }));
  });
  const listen = async (port: number): Promise<void> =>
    void (await once(server.listen(port, '127.0.0.1'), 'listening'));
  await listen(0);
  const { port } = server.address() as AddressInfo;

  const issuer: Issuer = {
    url: `http://127.0.0.1:${port}/jwks`,
    fetches: 0,
    answer: null,
    async rotate({ keep } = { keep: false }) {
      key = await make();
      published = keep ? [key, ...published] : [key];
    },
    async sign(claims, { kid, unnamed } = {}) {
      const signer = kid === undefined ? key : await make(kid);
      return new SignJWT({ iat: nowSeconds(), exp: nowSeconds() + 3600, ...claims })
        .setProtectedHeader({ alg: 'ES256', ...(unnamed === true ? {} : { kid: signer.kid }) })
        .sign(signer.privateKey);
    },
    async stop() {
      server.closeAllConnections();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
    start: () => listen(port),
  };
  return issuer;
}
