import { setTimeout as pause } from 'node:timers/promises';
import { fullJitter } from '../../../../sdk/src/backoff.ts';
import type { Recording } from '../recording.ts';

/** HTTP requests that are recorded with their answers. */
export type Answer = { status: number; body: unknown };

export type RecordedHttp = {
  /**
   * One request by a user, or by a service if `user` is null. Null: no answer, so it may or may not have taken effect.
   */
  request(user: string | null, method: string, path: string, body?: object): Promise<Answer | null>;
  /**
   * Repeats a request until it has a final answer, with growing pauses. Null if there is none when `until` (by
   * `performance.now`) is over.
   */
  insist(
    user: string | null,
    method: string,
    path: string,
    body: object | undefined,
    until: number,
  ): Promise<Answer | null>;
};

export type HttpParts = {
  urls(): readonly string[];
  token(user: string | null): string | Promise<string>;
  recording: Pick<Recording, 'note'>;
  pick<T>(from: readonly T[]): T;
};

const answerWithinMs = 10_000;
const pauses = { minMs: 30, maxMs: 1000 };

/** Worth another attempt: the server says so, or its answer is not known. */
const isTemporary = (answer: Answer | null): boolean =>
  answer === null ||
  answer.status >= 500 ||
  answer.status === 429 ||
  (answer.body as { error?: { retryable?: boolean } } | null)?.error?.retryable === true;

export function createHttp({ urls, token, recording, pick }: HttpParts): RecordedHttp {
  let requests = 0;

  async function request(user: string | null, method: string, path: string, body?: object): Promise<Answer | null> {
    const number = ++requests;
    const text = body === undefined ? null : JSON.stringify(body);
    const bearer = await token(user);
    recording.note({ type: 'request', request: number, user, method, path, body: text });
    try {
      const response = await fetch(`${pick(urls()).replace(/^ws/, 'http')}/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${bearer}`,
          ...(text === null ? {} : { 'content-type': 'application/json' }),
        },
        ...(text === null ? {} : { body: text }),
        signal: AbortSignal.timeout(answerWithinMs),
      });
      const answered = await response.text();
      recording.note({ type: 'answer', request: number, status: response.status, text: answered });
      return { status: response.status, body: answered === '' ? null : (JSON.parse(answered) as unknown) };
    } catch (error) {
      recording.note({ type: 'answer', request: number, status: null, text: (error as Error).message });
      return null;
    }
  }

  return {
    request,
    async insist(user, method, path, body, until) {
      for (let attempt = 0; ; attempt++) {
        const answer = await request(user, method, path, body);
        if (!isTemporary(answer)) return answer;
        const rest = fullJitter(attempt, pauses);
        if (performance.now() + rest > until) return null;
        await pause(rest);
      }
    },
  };
}
