/** Creates a group with one request, as its first member. */
import { signToken } from '../tools/harness/sign-token.ts';
import type { Server } from './cluster.ts';

export const memberName = (index: number): string => `m${String(index).padStart(6, '0')}`;

export type Creation = { ms: number } | { refused: string };

/** Any refusal except `too_large` is an error. */
export async function createGroup({ port, authSecret }: Server, id: string, memberCount: number): Promise<Creation> {
  const members = Array.from({ length: memberCount }, (_, index) => memberName(index));
  const token = signToken(authSecret, { user: memberName(0), ttlSeconds: 600 });
  const startedAt = performance.now();
  const answer = await fetch(`http://127.0.0.1:${port}/v1/conversations`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ id, members }),
  });
  const text = await answer.text();
  const ms = performance.now() - startedAt;
  if (answer.status === 201) return { ms };
  if (answer.status === 413) return { refused: (JSON.parse(text) as { error: { message: string } }).error.message };
  throw new Error(`a group of ${memberCount} was answered with ${answer.status}: ${text.slice(0, 500)}`);
}
