import { setTimeout as pause } from 'node:timers/promises';
import { createLocalJWKSet, type CryptoKey, errors, type ProtectedHeaderParameters } from 'jose';
import { Refusal } from '../../shared/model/errors.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import { retries, retryPauseMs } from '../../shared/timing/retry.ts';

/** Keys older than this are fetched again in the background, and are used meanwhile (ms). */
const freshMs = 600_000;
/** Timeout of a fetch, its body included (ms). */
const fetchWithinMs = 4000;
const mostBytes = 1_048_576;

type LocalKeys = ReturnType<typeof createLocalJWKSet>;

export type KeyServer = {
  /**
   * The published keys that may have signed a token: several if it names none. Rejects with `retry_later` if they
   * cannot be fetched now, and with jose's `JWKSNoMatchingKey` or `JOSENotSupported` if no key fits.
   */
  keysOf(header: ProtectedHeaderParameters): Promise<CryptoKey[]>;
};

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > mostBytes) throw new Error(`the key server answered with more than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/**
 * Resolves with the keys that are published at an address. Rejects for anything but a key set with at least one key: a
 * server under repair may publish an empty set, which must not replace the known keys.
 */
async function fetchKeys(url: string): Promise<LocalKeys> {
  const response = await fetch(url, {
    headers: { accept: 'application/json, application/jwk-set+json' },
    redirect: 'manual',
    signal: AbortSignal.timeout(fetchWithinMs),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`the key server answered with status ${response.status}`);
  }
  const keys = createLocalJWKSet(JSON.parse(await readText(response)) as Parameters<typeof createLocalJWKSet>[0]);
  if (keys.jwks().keys.length === 0) throw new Error('the key server publishes no key');
  return keys;
}

/**
 * The keys of an issuer (JWKS).
 *
 * Fetched keys stay usable: while the key server is away or answers anything else, tokens signed with a known key are
 * checked as before. A token with an unknown key waits for a fetch that begins after the token came, so a new key works
 * from the moment it is published. All such tokens share one fetch a second. If that fetch fails, the token is refused
 * with `retry_later`. `fetched` is called after every fetch: with null, or with the reason of its failure.
 */
export function createKeyServer(url: string, fetched: (failure: unknown) => void, now = monotonicMs): KeyServer {
  let known: LocalKeys | null = null;
  let fetchedAt = -Infinity;
  let startedAt = -Infinity;
  let failures = 0;
  let failure: unknown;
  let running: Promise<void> | null = null;

  /** The least time between two fetches, however many tokens name an unknown key. Longer after failures. */
  const pauseMs = (): number => retryPauseMs(retries.keyServer, Math.max(1, failures));
  const waitMs = (): number => Math.max(0, startedAt + pauseMs() - now());
  const unavailable = (): Refusal =>
    new Refusal('retry_later', 'tokens cannot be checked now', {
      retryAfterMs: Math.max(1000, waitMs()),
      cause: failure,
    });

  /** Never rejects: `failures` says whether it failed. */
  function start(): Promise<void> {
    startedAt = now();
    running = fetchKeys(url)
      .then(
        (keys) => {
          known = keys;
          fetchedAt = now();
          failures = 0;
          fetched(null);
        },
        (thrown: unknown) => {
          failures += 1;
          failure = thrown;
          fetched(thrown);
        },
      )
      .finally(() => (running = null));
    return running;
  }

  /** Resolves with the keys of a fetch that began at `moment` or later. Rejects with `retry_later`. */
  async function fetchedSince(moment: number): Promise<LocalKeys> {
    for (;;) {
      if (running !== null) await running;
      else if (waitMs() === 0) await start();
      // After a failure the caller is refused at once, instead of waiting for the end of the pause.
      else if (failures === 0) await pause(waitMs());
      if (failures > 0 || known === null) throw unavailable();
      if (startedAt >= moment) return known;
    }
  }

  /** All keys that fit. A broken published key is a fault of the key server, so the token is not refused for it. */
  async function matching(keys: LocalKeys, header: ProtectedHeaderParameters): Promise<CryptoKey[]> {
    try {
      return [await keys(header)];
    } catch (thrown) {
      if (thrown instanceof errors.JWKSMultipleMatchingKeys) {
        const several: CryptoKey[] = [];
        for await (const key of thrown) several.push(key);
        return several;
      }
      if (thrown instanceof errors.JWKSNoMatchingKey || thrown instanceof errors.JOSENotSupported) throw thrown;
      throw new Refusal('retry_later', 'tokens cannot be checked now', { retryAfterMs: 1000, cause: thrown });
    }
  }

  return {
    async keysOf(header) {
      const keys = known ?? (await fetchedSince(-Infinity));
      if (now() - fetchedAt > freshMs && running === null && waitMs() === 0) void start();
      try {
        return await matching(keys, header);
      } catch (thrown) {
        if (!(thrown instanceof errors.JWKSNoMatchingKey)) throw thrown;
        return matching(await fetchedSince(now()), header);
      }
    },
  };
}

/** Counts fetches, and logs why one failed: at most one line a second, since fetches are that far apart. */
export const createFetchReport =
  (metrics: Pick<Metrics, 'keyFetches'>, log: Logger) =>
  (failure: unknown): void => {
    metrics.keyFetches.inc({ result: failure === null ? 'ok' : 'failed' });
    if (failure !== null)
      log.warn({
        event: 'key_server_failed',
        reason: reason(failure instanceof Error && failure.cause !== undefined ? failure.cause : failure),
      });
  };
