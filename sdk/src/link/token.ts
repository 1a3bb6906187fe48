import type { Clock } from '../platform/clock.ts';
import type { TokenRequest } from './api.ts';
import { tokenMs } from './limits.ts';

/**
 * Asks the application for tokens: one question at a time, and none longer than its limit. Whoever asks while a
 * question is open shares it. Rejects when the application's function does, or is too slow.
 */
export function createTokens(
  getToken: (request: TokenRequest) => string | Promise<string>,
  clock: Clock,
): (reason: TokenRequest['reason']) => Promise<string> {
  let asking: Promise<string> | null = null;

  const ask = async (reason: TokenRequest['reason']): Promise<string> => {
    const abort = new AbortController();
    let cancel = (): void => {};
    const late = new Promise<never>((_, reject) => {
      cancel = clock.after(tokenMs, () => reject(new Error(`getToken took longer than ${tokenMs} ms`)));
    });
    try {
      const token = await Promise.race([getToken({ reason, signal: abort.signal }), late]);
      if (typeof token !== 'string' || token === '') throw new Error('getToken gave no token');
      return token;
    } finally {
      cancel();
      abort.abort();
    }
  };

  return (reason) =>
    (asking ??= ask(reason).finally(() => {
      asking = null;
    }));
}
