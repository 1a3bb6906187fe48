import { Hono } from 'hono';
import { z } from 'zod';
import { badRequest } from '../../shared/model/errors.ts';
import { id } from '../../shared/protocol/client-frames.ts';
import { faults } from '../../shared/protocol/parse.ts';
import { isLoopback, type SignDevToken } from '../auth/dev-tokens.ts';
import type { HttpEnv } from './context.ts';
import { noSuchRoute } from './errors.ts';
import { readJson } from './reading-body.ts';

const asked = z.object({ user: id });
const mostBytes = 1024;
/** A hold that charges nobody: the body is tiny, and only this machine can send it. */
const free = { add: () => {}, end: () => {} };

const nameOf = (host: string): string => host.replace(/:\d+$/, '');

/** Headers that a proxy adds: behind one, a loopback address says nothing about who asks. */
const forwarded = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip'];

/**
 * `POST /dev/token {user}`: a token of one hour for the demo users of the chat app.
 *
 * Must hold: no page but the gateway's own can ask, and nobody from another machine. The `Host` must name this machine
 * too, because a foreign name can be made to lead here (DNS rebinding), and its page would be of the "same" origin.
 */
export function devTokenRoutes(sign: SignDevToken): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  app.post('/token', async (context) => {
    const header = (name: string): string => context.req.header(name) ?? '';
    const host = header('host').toLowerCase();
    const isOwn = isLoopback(nameOf(host)) && header('origin').toLowerCase() === `http://${host}`;
    if (!isOwn || forwarded.some((name) => header(name) !== '')) return noSuchRoute();
    const parsed = asked.safeParse(await readJson(context.req, mostBytes, free));
    if (!parsed.success) throw badRequest(faults(parsed.error.issues));
    context.header('cache-control', 'no-store');
    return context.json({ token: await sign(parsed.data.user) });
  });
  return app;
}
